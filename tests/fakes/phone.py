"""A whole call without a room: real session and graph; fake voice, audio output and line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.pregel import Pregel
from langgraph.pregel.remote import RemoteGraph
from livekit.agents import AgentSession, llm, tts
from livekit.agents.voice import io
from livekit.agents.voice.run_result import RunResult

from lastword.call import Call
from lastword.clock import Clock
from lastword.dispatch import read_dispatch
from lastword.graphs_config import CallGraph
from lastword.hangup.call_end import CallEnd
from lastword.providers.voices import TYPED, Voices
from lastword.room.call_agent import CallAgent
from lastword.signals import CallPolicy
from lastword.testing.fakes.audio_output import FakeAudioOutput, FakeTTS
from lastword.testing.fakes.recording_events import RecordingEvents
from tests.fakes.line import FakeLine


class Phone:
    """A test's control of a running call."""

    def __init__(
        self, call: Call, events: RecordingEvents, mouth: FakeAudioOutput, line: FakeLine
    ) -> None:
        self.call = call
        self.events = events
        self.mouth = mouth
        self.line = line
        self.running: asyncio.Task[CallEnd]

    @property
    def session(self) -> AgentSession[None]:
        return self.call.session

    async def say(self, words: str) -> RunResult[Any]:
        """Say ``words`` as the caller; return when the agent's turn is over."""
        return await self.session.run(user_input=words)

    async def break_in(self, words: str, heard: str) -> None:
        """Say ``words`` as the caller and interrupt the answer once ``heard`` was played."""
        self.mouth.hold, self.mouth.played_text = True, heard
        turn: RunResult[Any] = self.session.run(user_input=words)
        await self.mouth.captured.wait()
        await self.session.interrupt(force=True)
        await turn
        self.mouth.hold = False

    def spoken(self) -> list[str]:
        """The agent's messages so far in LiveKit's history."""
        return [
            item.text_content or ""
            for item in self.session.history.items
            if isinstance(item, llm.ChatMessage) and item.role == "assistant"
        ]


@asynccontextmanager
async def phone_call(
    graph: Pregel[Any, Any, Any, Any] | RemoteGraph,
    policy: CallPolicy | None = None,
    *,
    voices: Voices = TYPED,
    memory: BaseCheckpointSaver[Any] | None = None,
    call_id: str = "call-under-test",
    caller: str = "caller",
    voice: tts.TTS[Any] | None = None,
    subtitles: io.TextOutput | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Phone]:
    """Call a graph; the block starts after the opening, if there is one, has been spoken.

    Args:
        graph: the graph that answers.
        policy: of the call; by default the caller speaks first.
        voices: how the caller is recognised.
        memory: of the graph; by default the memory of this process.
        call_id: name of the call.
        caller: identity of the caller.
        voice: the agent's TTS; by default ``FakeTTS``.
        subtitles: receive the agent's words as they are passed on.
        clock: of the call; by default the event loop's.
    """
    policy = policy or CallPolicy(first_speaker="caller", tail=0)
    events, mouth, line = RecordingEvents(), FakeAudioOutput(), FakeLine()
    call = Call(
        call_id,
        graph=CallGraph("under_test", graph, policy),
        dispatch=read_dispatch(""),
        events=events,
        voices=replace(voices, tts=voice or FakeTTS()),
        memory=memory,
        clock=clock,
    )
    ready = asyncio.Event()

    async def start(session: AgentSession[None], agent: CallAgent) -> None:
        session.output.audio = mouth
        session.output.transcription = subtitles
        await session.start(agent)
        ready.set()

    async def joined() -> str:
        return caller

    phone = Phone(call, events, mouth, line)
    try:
        async with asyncio.TaskGroup() as tasks:
            phone.running = tasks.create_task(call.run(start, [line], caller_joined=joined))
            await ready.wait()
            if policy.first_speaker == "agent":
                await events.until("agent_said")
            yield phone
            call.end(CallEnd("operator", "test_over"))
    finally:
        await call.session.aclose()
