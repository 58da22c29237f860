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

from lastword.bridge.run_pointer import RunPointer
from lastword.call import Call
from lastword.dispatch import Dispatch
from lastword.errors import ConversationError
from lastword.graphs_config import CallGraph
from lastword.hangup.call_end import CallEnd
from lastword.room.call_agent import CallAgent
from lastword.testing.fakes.audio_output import Mouth, SilentVoice, Subtitles
from lastword.testing.fakes.recording_journal import KeptJournal
from lastword.testing.fakes.stt import ScriptedEars, scripted
from lastword.testing.levels.journal_reading import Entry
from lastword.testing.observed import ToolWatch, state_at
from lastword.testing.virtual_clock import VirtualClock


class CountedLine:
    """Implements ``Line``; counts how often it is taken down."""

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
    """The call of a graph, and the fakes that it is connected to.

    Args:
        graph: the graph and its policy.
        dispatch: the metadata of the call.
        observers: are told what the graph does.
        more_context: keys of the graph's own context.
        spoken: whether every answer goes through the voice and the loudspeaker; else only an
            answer that is held does, and the others are text.
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
        self.journal = KeptJournal()
        self.line = CountedLine()
        self.loudspeaker = Mouth()
        self.subtitles = Subtitles()
        self.recogniser = ScriptedEars()
        self.tools = ToolWatch()
        self._spoken = spoken
        self._mark = 0
        self._id = utils.shortuuid("conversation-")
        self.call = Call(
            self._id,
            graph=graph,
            dispatch=dispatch,
            journal=self.journal,
            voices=replace(scripted(self.recogniser, preemptive=False), tts=SilentVoice()),
            observers=[*observers, self.tools],
            more_context=more_context,
            clock=self.clock,
        )
        self.running: asyncio.Task[CallEnd]
        """The call's life, to its end."""
        self.opening: asyncio.Future[RunResult[Any]] = asyncio.get_running_loop().create_future()
        """LiveKit's result of the opening."""
        self.may_open = asyncio.Event()

    async def run(self) -> CallEnd:
        """Have the call; the agent speaks first when ``may_open`` is set."""

        async def joined() -> str:
            return "caller"

        return await self.call.run(self._start, [self.line], caller_joined=joined)

    async def _start(self, session: AgentSession[None], agent: CallAgent) -> None:
        session.output.transcription = self.subtitles
        await self.may_open.wait()
        result = await session.start(agent, capture_run=True)  # returns when all is said
        if not self.opening.done():
            self.opening.set_result(result)

    def hold_answer(self, hold: bool) -> None:
        """Choose whether the next answer is held in the loudspeaker until somebody plays it."""
        self.loudspeaker.hold = hold
        is_audible = hold or self._spoken
        self.call.session.output.audio = self.loudspeaker if is_audible else None

    def begin_exchange(self) -> None:
        """What happens from now on belongs to a new exchange."""
        self._mark = len(self.journal.entries)
        self.subtitles.wipe()

    @property
    def news(self) -> Sequence[Entry]:
        """The journal since the exchange began."""
        return self.journal.entries[self._mark :]

    @property
    def is_ending(self) -> bool:
        """Whether the call is ending, or over."""
        return not self.call.closing.is_talking

    async def ending_known(self) -> None:
        """Wait until the call is ending."""
        while not self.is_ending:
            await self.journal.until("ending", times=self.journal.events.count("ending") + 1)

    async def farewell_played(self) -> None:
        """Wait until a farewell of this exchange has been played."""
        before = self.journal.events[: self._mark].count("farewell_played")
        await self.journal.until("farewell_played", times=before + 1)

    async def come_to_the_end(self) -> None:
        """Let time pass after the farewell, until the line is down.

        Raises:
            ConversationError: the call waits for nothing, and does not end.
        """
        await first_done(self.farewell_played(), self.running)
        while not self.call.ended:
            due = self.clock.next_at
            if due is None:
                raise ConversationError("the farewell was played, and the call does not end")
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
        """The graph's state after a run; None when there was none."""
        return await state_at(self.call.graph_llm.graph, self._id, run and run["checkpoint_id"])


async def first_done(wanted: Awaitable[Any], *others: Awaitable[Any]) -> Any:
    """Return what ``wanted`` gives; None when one of ``others`` is done before it.

    Coroutines that are not done are cancelled, tasks and futures are left alone.
    """
    tasks = [asyncio.ensure_future(one) for one in (wanted, *others)]
    own = [task for task, one in zip(tasks, (wanted, *others), strict=True) if task is not one]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0].result() if tasks[0].done() else None
    finally:
        for task in own:
            task.cancel()
