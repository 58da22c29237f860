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

from agent.call import Call
from agent.call_agent import CallAgent
from agent.dispatch import read_dispatch
from agent.graph_registry import CallGraph
from agent.hangup.call_end import CallEnd
from agent.journal import CallJournal
from agent.providers.voices import TYPED, Voices
from graphs.call_signals import CallPolicy
from tests.fakes.line import FakeLine
from tests.fakes.mouth import FakeMouth, SilentVoice


class ListedJournal(CallJournal):
    """A journal that keeps its entries and lets a test wait for one."""

    def __init__(self) -> None:
        super().__init__("call-under-test")
        self.entries: list[tuple[str, dict[str, Any]]] = []
        self.times: list[float] = []
        self._waiting: set[asyncio.Future[None]] = set()

    def write(self, event: str, **fields: Any) -> None:
        super().write(event, **fields)
        self.entries.append((event, fields))
        self.times.append(asyncio.get_running_loop().time())
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.entries]

    def last(self, event: str) -> int | None:
        """Number of the last entry of that kind, from 0; its time is in ``times``."""
        return max((at for at, name in enumerate(self.events) if name == event), default=None)

    async def until(self, event: str, *, times: int = 1) -> dict[str, Any]:
        """Wait until ``event`` has been written so often; returns its last fields."""
        while self.events.count(event) < times:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            try:
                await waiting
            finally:
                self._waiting.discard(waiting)
        return next(fields for name, fields in reversed(self.entries) if name == event)


class Phone:
    """What a test holds in its hand during a call."""

    def __init__(
        self, call: Call, journal: ListedJournal, mouth: FakeMouth, line: FakeLine
    ) -> None:
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
    """
    policy = policy or CallPolicy(first_speaker="caller", tail=0)
    journal, mouth, line = ListedJournal(), FakeMouth(), FakeLine()
    call = Call(
        call_id,
        graph=CallGraph("under_test", graph, policy),
        dispatch=read_dispatch(""),
        journal=journal,
        voices=replace(voices, tts=voice or SilentVoice()),
        memory=memory,
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
