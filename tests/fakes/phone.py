"""A whole call without a room: a real session and graph, a fake voice, loudspeaker and line."""

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
from lastword.testing.fakes.audio_output import Mouth, SilentVoice
from lastword.testing.fakes.recording_journal import KeptJournal
from tests.fakes.line import FakeLine


class Phone:
    """What a test holds in its hand during a call."""

    def __init__(self, call: Call, journal: KeptJournal, mouth: Mouth, line: FakeLine) -> None:
        self.call = call
        self.journal = journal
        self.mouth = mouth
        self.line = line
        self.running: asyncio.Task[CallEnd]

    @property
    def session(self) -> AgentSession[None]:
        return self.call.session

    async def say(self, words: str) -> RunResult[Any]:
        """Say something as the caller; returns when the agent's turn is over."""
        return await self.session.run(user_input=words)

    async def break_in(self, words: str, heard: str) -> None:
        """Say ``words`` as the caller, and speak over the answer once ``heard`` has been played."""
        self.mouth.hold, self.mouth.heard = True, heard
        turn: RunResult[Any] = self.session.run(user_input=words)
        await self.mouth.captured.wait()
        await self.session.interrupt(force=True)
        await turn
        self.mouth.hold = False

    def spoken(self) -> list[str]:
        """What the agent said so far, as it stands in LiveKit's history."""
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
    voice: tts.TTS[Any] | None = None,
    subtitles: io.TextOutput | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Phone]:
    """Call a graph; the block begins when the opening, if there is one, has been spoken.

    Args:
        graph: what answers.
        policy: of the call; without one the caller speaks first.
        voices: how the caller is heard.
        memory: of the graph; without one it is the process's.
        call_id: name of the call.
        voice: speaks for the agent; without one ``SilentVoice``.
        subtitles: get the agent's words as they are passed on.
        clock: of the call; without one the event loop's.
    """
    policy = policy or CallPolicy(first_speaker="caller", tail=0)
    journal, mouth, line = KeptJournal(), Mouth(), FakeLine()
    call = Call(
        call_id,
        graph=CallGraph("under_test", graph, policy),
        dispatch=read_dispatch(""),
        journal=journal,
        voices=replace(voices, tts=voice or SilentVoice()),
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
        return "caller"

    phone = Phone(call, journal, mouth, line)
    try:
        async with asyncio.TaskGroup() as tasks:
            phone.running = tasks.create_task(call.run(start, [line], caller_joined=joined))
            await ready.wait()
            if policy.first_speaker == "agent":
                await journal.until("spoken")
            yield phone
            call.end(CallEnd("operator", "test_over"))
    finally:
        await call.session.aclose()
