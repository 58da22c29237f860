"""A call in a LiveKit session, on a virtual clock, connected to fakes instead of a room."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from livekit.agents import AgentSession, SpeechCreatedEvent, utils
from livekit.agents.voice.run_result import RunResult

from lastword.bridge.chat_items import RunPointer
from lastword.call import Call
from lastword.dispatch import Dispatch
from lastword.errors import ConversationError
from lastword.events import Event
from lastword.graphs_config import CallGraph
from lastword.hangup.call_end import CallEnd
from lastword.room.call_agent import CallAgent
from lastword.testing.fakes.audio_output import FakeAudioOutput, FakeTextOutput, FakeTTS
from lastword.testing.fakes.recording_events import RecordingEvents
from lastword.testing.fakes.stt import FakeSTT, fake_voices
from lastword.testing.forgotten_words import ForgottenWordsWatch
from lastword.testing.observed import ToolWatch, state_at
from lastword.testing.virtual_clock import VirtualClock


class CountedLine:
    """Implements ``Line``, and counts how often it is taken down."""

    name = "conversation"

    def __init__(self) -> None:
        self.removals = 0

    async def remove(self) -> None:
        """Take the line down."""
        self.removals += 1

    async def is_gone(self) -> bool:
        """Whether it was taken down."""
        return self.removals > 0


class SessionCall:
    """A call with a graph, and the fakes that it is connected to.

    Args:
        graph: the graph and its policy.
        dispatch: the metadata of the call.
        observers: callbacks of the graph's runs.
        more_context: keys for the graph's own context.
        spoken: whether every answer goes through the TTS and the audio output; if not, only held
            answers do, and the others are text only.
    """

    def __init__(
        self,
        graph: CallGraph,
        dispatch: Dispatch,
        observers: Sequence[BaseCallbackHandler],
        more_context: Mapping[str, Any] | None,
        *,
        spoken: bool,
    ) -> None:
        self.policy = graph.policy
        self.clock = VirtualClock()
        self.line = CountedLine()
        self.loudspeaker = FakeAudioOutput()
        self.subtitles = FakeTextOutput()
        self.recogniser = FakeSTT()
        self.tools = ToolWatch()
        self.words = ForgottenWordsWatch()
        self._spoken = spoken
        self._mark = 0
        self._id = utils.shortuuid("conversation-")
        self.events = RecordingEvents(self._id, self.clock.time)
        self.call = Call(
            self._id,
            graph=graph,
            dispatch=dispatch,
            events=self.events,
            voices=replace(fake_voices(self.recogniser, preemptive=False), tts=FakeTTS()),
            observers=[*observers, self.tools, self.words],
            more_context=more_context,
            clock=self.clock,
        )
        self.running: asyncio.Task[CallEnd]
        """The task that runs the call to its end."""
        self.opening: asyncio.Future[RunResult[Any]] = asyncio.get_running_loop().create_future()
        """LiveKit's result of the opening."""
        self.may_open = asyncio.Event()

    async def run(self) -> CallEnd:
        """Run the call; the opening waits until ``may_open`` is set."""

        async def joined() -> str:
            return "caller"

        return await self.call.run(self._start, [self.line], caller_joined=joined)

    async def _start(self, session: AgentSession[None], agent: CallAgent) -> None:
        session.output.transcription = self.subtitles
        await self.may_open.wait()
        result = await session.start(agent, capture_run=True)  # returns after the opening
        if not self.opening.done():
            self.opening.set_result(result)

    def hold_answer(self, hold: bool) -> None:
        """Choose whether the audio output holds the next answer until it is told to play it."""
        self.loudspeaker.hold = hold
        is_audible = hold or self._spoken
        self.call.session.output.audio = self.loudspeaker if is_audible else None

    def begin_exchange(self) -> None:
        """Begin a new exchange; later events belong to it."""
        self._mark = len(self.events.recorded)
        self.subtitles.clear()

    @property
    def news(self) -> Sequence[Event]:
        """The events since the exchange began."""
        return self.events.recorded[self._mark :]

    @property
    def is_ending(self) -> bool:
        """Whether the call is ending or has ended."""
        return not self.call.closing.is_talking

    async def ending_known(self) -> None:
        """Wait until the call is ending."""
        while not self.is_ending:
            await self.events.until("ending", times=self.events.names.count("ending") + 1)

    async def farewell_played(self) -> None:
        """Wait until a farewell of this exchange has been played."""
        before = self.events.names[: self._mark].count("farewell_played")
        await self.events.until("farewell_played", times=before + 1)

    async def come_to_the_end(self) -> None:
        """Move the clock after the farewell, until the line is down.

        Raises:
            ConversationError: the call has no timer left, and does not end.
        """
        await first_done(self.farewell_played(), self.running)
        while not self.call.ended:
            due = self.clock.next_at
            if due is None:
                raise ConversationError("the farewell was played, but the call does not end")
            await self.clock.advance_to(due)
        await self.running

    @contextmanager
    def speeches(self) -> Iterator[asyncio.Queue[SpeechCreatedEvent]]:
        """Collect the speeches that LiveKit creates during the block."""
        created: asyncio.Queue[SpeechCreatedEvent] = asyncio.Queue()
        self.call.session.on("speech_created", created.put_nowait)
        try:
            yield created
        finally:
            self.call.session.off("speech_created", created.put_nowait)

    async def state_after(self, run: RunPointer | None) -> Mapping[str, Any] | None:
        """Return the graph's state after a run; None without a run."""
        return await state_at(self.call.graph_llm.graph, self._id, run and run["checkpoint_id"])


async def first_done(wanted: Awaitable[Any], *others: Awaitable[Any]) -> Any:
    """Return the result of ``wanted``; None when one of ``others`` is done first.

    Unfinished coroutines are cancelled; unfinished tasks and futures are not.
    """
    tasks = [asyncio.ensure_future(one) for one in (wanted, *others)]
    own = [task for task, one in zip(tasks, (wanted, *others), strict=True) if task is not one]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0].result() if tasks[0].done() else None
    finally:
        for task in own:
            task.cancel()
