"""A conversation in a LiveKit session: typed words, no sound, and a line that is counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from livekit.agents import AgentSession, SpeechCreatedEvent, utils
from livekit.agents.voice.run_result import RunResult

from lastword.bridge.run_pointer import RunPointer
from lastword.call import Call
from lastword.dispatch import Dispatch
from lastword.events import Event
from lastword.graphs_config import CallGraph
from lastword.hangup import limits
from lastword.hangup.call_end import CallEnd
from lastword.hangup.farewell_guard import limit_stopped_by
from lastword.room.call_agent import CallAgent
from lastword.testing.fakes.audio_output import Mouth, SilentVoice, Subtitles
from lastword.testing.fakes.recording_events import RecordingEvents
from lastword.testing.fakes.stt import ScriptedEars, scripted
from lastword.testing.levels.as_call_event import happening, silences_after
from lastword.testing.levels.driver import NotSaid
from lastword.testing.levels.event_reading import end_of, ending_in
from lastword.testing.observed import Stopwatch, ToolWatch, state_at
from lastword.testing.reply import End, Reply
from lastword.testing.transcripts.transcript import (
    CallerSays,
    Cut,
    HangsUp,
    Keypad,
    LimitNear,
    Silence,
    TimeUp,
    Trigger,
    Voicemail,
)
from lastword.testing.wording import heard_until

_RESULT_SECONDS = 5.0
"""LiveKit has as long to complete its result of a turn whose call is over."""


class CountedLine:
    """A line that only counts how often it is taken down."""

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
    """A call of ``graph`` in a session; make it with ``session_call``. See ``Conducted``."""

    def __init__(
        self,
        graph: CallGraph,
        dispatch: Dispatch,
        observers: Sequence[BaseCallbackHandler],
        more_context: Mapping[str, Any] | None,
    ) -> None:
        self.events = RecordingEvents()
        self.line = CountedLine()
        self._policy = graph.policy
        self._mouth = Mouth()
        self._subtitles = Subtitles()
        self._ears = ScriptedEars()
        self._tools = ToolWatch()
        self._id = utils.shortuuid("conversation-")
        self.call = Call(
            self._id,
            graph=replace(graph, policy=_without_clock(graph)),
            dispatch=dispatch,
            events=self.events,
            voices=replace(scripted(self._ears, preemptive=False), tts=SilentVoice()),
            observers=[*observers, self._tools],
            more_context=more_context,
        )
        self.running: asyncio.Task[CallEnd]
        self._opening: asyncio.Future[RunResult[Any]] = asyncio.get_running_loop().create_future()
        self._may_open = asyncio.Event()
        self._ended: asyncio.Queue[tuple[RunPointer, float]] = asyncio.Queue()
        self._watch = Stopwatch()
        self._pending: asyncio.Future[Any] | None = None
        self._reaching: asyncio.Future[None] | None = None
        self._mark = 0
        self._silences = 0
        self.call.graph_llm.on("run_ended", self._run_ended)

    @property
    def end(self) -> End | None:
        """How the call has ended."""
        return end_of(self.events.recorded)

    @property
    def hang_ups(self) -> int:
        """How often the line was taken down."""
        return self.line.removals

    async def start(self, session: AgentSession[None], agent: CallAgent) -> None:
        """Bring the session up; the agent speaks first when ``open`` says so."""
        session.output.audio = self._mouth
        session.output.transcription = self._subtitles
        await self._may_open.wait()
        result = await session.start(agent, capture_run=True)  # it is back when all is said
        if not self._opening.done():
            self._opening.set_result(result)

    async def open(self, cut: Cut | None) -> Reply:
        """See ``Conducted``."""
        self._begin(cut)
        self._may_open.set()
        if self._policy.first_speaker == "caller":
            result = await self._opening
            await result
            return Reply(result=result)
        return await self._answer(self._opening, cut)

    async def take(self, trigger: Trigger, cut: Cut | None) -> Reply:
        """See ``Conducted``."""
        self._silences = silences_after(trigger, self._silences)
        pending, self._pending = self._pending, None
        if pending is not None:  # said over a farewell that it has stopped
            if cut is None:
                self._mouth.release()
            return await self._answered(pending, cut)
        if self.end is not None:
            return Reply(end=self.end, is_over=True)
        while not self._ended.empty():  # a turn may have had several runs
            self._ended.get_nowait()
        match trigger:
            case HangsUp():
                self._begin(None)
                self.call.end(CallEnd("caller", "caller_hung_up"))
                await self.running
                return await self._reply(None)
            case CallerSays() as said:
                self._begin(cut)
                return await self._answer(self.call.session.run(user_input=said.understood), cut)
            case _:
                return await self._happens(trigger, cut)

    async def aclose(self) -> None:
        """See ``Conducted``."""
        self.call.end(CallEnd("operator", "conversation_over"))
        await self.running
        if self._reaching is not None:
            self._reaching.cancel()  # as the call does with its watch
            await asyncio.wait({self._reaching})

    async def _happens(
        self, trigger: Silence | LimitNear | TimeUp | Voicemail | Keypad, cut: Cut | None
    ) -> Reply:
        what = happening(trigger, self._policy, self._silences)
        self._begin(cut)
        if isinstance(what, limits.TimeUp):
            return await self._limit(what, cut)
        return await self._answer(await self.call.graph_llm.tell(what), cut)

    async def _limit(self, limit: limits.TimeUp, cut: Cut | None) -> Reply:
        """The worker's last sentence, and what the caller may do over it."""
        self._reaching = asyncio.ensure_future(self.call.reach(limit))
        if cut is not None and cut.over is not None:
            await self._first(self._mouth.captured.wait(), self._reaching)
            in_vain = limit_stopped_by(limit, self._policy) == "never"
            return await self._cut(self._reaching, None, cut, cut.over, in_vain=in_vain)
        await self.running
        return await self._reply(None)

    def _begin(self, cut: Cut | None) -> None:
        """A new exchange begins; an answer that is to be cut is held."""
        self._mark = len(self.events.recorded)
        self._mouth.hold = cut is not None
        self._subtitles.wipe()
        self._watch = Stopwatch()

    async def _answer(self, answer: Awaitable[Any], cut: Cut | None) -> Reply:
        """The agent's answer, as far as the caller hears it."""
        pending = asyncio.ensure_future(_settled(answer))
        return await self._answered(pending, cut)

    async def _answered(self, pending: asyncio.Future[Any], cut: Cut | None) -> Reply:
        pointer, seconds = await self._first(self._ended.get(), pending, self.running) or (None, 0)
        if pointer is not None and pointer.get("ending"):
            await self._first(self._ending_is_known(), self.running)
        if cut is not None and cut.over is not None:
            await self._first(self._mouth.captured.wait(), pending)
            return replace(await self._cut(pending, pointer, cut, cut.over), seconds=seconds)
        await asyncio.wait({pending, self.running}, return_when=asyncio.FIRST_COMPLETED)
        if self._is_ending():
            await self.running
            # an opening that ended the call has no result: LiveKit's start was cut short
            seconds_left = _RESULT_SECONDS if self._opening.done() else 0.0
            await asyncio.wait({pending}, timeout=seconds_left)
        pending.cancel()
        result = pending.result() if pending.done() and not pending.cancelled() else None
        reply = await self._reply(pointer)
        return replace(
            reply, seconds=seconds, result=result if isinstance(result, RunResult) else None
        )

    async def _cut(
        self,
        pending: asyncio.Future[Any],
        pointer: RunPointer | None,
        cut: Cut,
        over: str,
        *,
        in_vain: bool = False,
    ) -> Reply:
        """Do what happens while the answer is held; ``in_vain``: no words keep the call."""
        said = self._subtitles.text.strip()
        heard = heard_until(said, over)
        if heard is None:
            self._mouth.hold = False
            raise NotSaid(over, said)
        self._mouth.heard = heard
        if isinstance(cut, HangsUp):
            is_ending = self._is_ending()
            self.call.end(CallEnd("caller", "caller_hung_up"))
            await self.running
            reply = replace(await self._reply(pointer), said=heard)
            # leaving is the caller's next turn; only a farewell is the end of the call itself
            return reply if is_ending else replace(reply, end=None, is_over=False)
        if in_vain:
            self._mouth.play()
            await self.running
            return await self._reply(pointer)
        if not self._is_ending():
            await self.call.session.interrupt(force=True)
            await pending
            return await self._reply(pointer)
        return await self._speak_over(cut.understood, pointer)

    async def _speak_over(self, words: str, pointer: RunPointer | None) -> Reply:
        """The caller says something over a farewell; what that does is the call's decision."""
        understood = asyncio.Event()
        created: asyncio.Queue[SpeechCreatedEvent] = asyncio.Queue()
        session = self.call.session

        def heard(event: Any) -> None:
            if event.is_final:
                understood.set()

        reply = replace(await self._reply(pointer), end=ending_in(self._news))
        spoken = self.events.names.count("agent_said")
        session.on("user_input_transcribed", heard)
        session.on("speech_created", created.put_nowait)
        try:
            self._ears.hear_turn(words)
            await understood.wait()
            if self._is_ending():
                self._mouth.play()
                await self.running
                return replace(reply, said=self._subtitles.text.strip(), is_over=True)
            reply = replace(reply, said=self._mouth.heard)
            await self.events.until("agent_said", times=spoken + 1)
            self._begin(None)
            self._mouth.hold = True  # it may be spoken over too: ``take`` knows
            speech = (await created.get()).speech_handle
            self._pending = asyncio.ensure_future(_settled(speech))
        finally:
            session.off("user_input_transcribed", heard)
            session.off("speech_created", created.put_nowait)
        return reply

    def _run_ended(self, run: str, pointer: RunPointer) -> None:  # noqa: ARG002 - LiveKit's order
        self._ended.put_nowait((pointer, self._watch.seconds))

    async def _ending_is_known(self) -> None:
        while not self._is_ending():
            await self.events.until("ending", times=self.events.names.count("ending") + 1)

    @property
    def _news(self) -> list[Event]:
        """The events since this exchange began."""
        return self.events.recorded[self._mark :]

    def _is_ending(self) -> bool:
        return not self.call.closing.is_talking

    async def _reply(self, pointer: RunPointer | None) -> Reply:
        said = [event["words"] for event in self._news if event["event"] == "agent_said"]
        graph, checkpoint = self.call.graph_llm.graph, pointer and pointer["checkpoint_id"]
        return Reply(
            said=" ".join(said),
            nodes=pointer["nodes"] if pointer else (),
            tools=self._tools.take(),
            state=await state_at(graph, self._id, checkpoint),
            end=self.end or ending_in(self._news),
            is_over=self.end is not None,
        )

    async def _first(self, wanted: Awaitable[Any], *others: asyncio.Future[Any]) -> Any:
        """What ``wanted`` gives; None when one of ``others`` is done before it."""
        task = asyncio.ensure_future(wanted)
        await asyncio.wait({task, *others}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        task.cancel()
        return None


async def _settled(answer: Awaitable[Any]) -> Any:
    return await answer


def _without_clock(graph: CallGraph) -> Any:
    """Here the transcript says when time has passed."""
    return replace(
        graph.policy, tail=0.0, silence_timeout=None, first_words_timeout=None, max_duration=None
    )


@asynccontextmanager
async def session_call(
    graph: CallGraph,
    dispatch: Dispatch,
    observers: Sequence[BaseCallbackHandler] = (),
    more_context: Mapping[str, Any] | None = None,
) -> AsyncIterator[SessionCall]:
    """Call ``graph`` in a LiveKit session; see ``Conducted`` for what can be done then.

    Args:
        graph: the graph and its policy.
        dispatch: the metadata of the call.
        observers: are told what the graph does.
        more_context: keys of the graph's own context.
    """
    conducted = SessionCall(graph, dispatch, observers, more_context)

    async def joined() -> str:
        return "caller"

    run = conducted.call.run(conducted.start, [conducted.line], caller_joined=joined)
    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            conducted.running = tasks.create_task(run)
            try:
                yield conducted
            except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - raised below, outside of the group
                failure = error
            await conducted.aclose()
    finally:
        await conducted.call.session.aclose()
    if failure is not None:
        raise failure
