"""Drives a call turn by turn; the product's own code decides how the call reacts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from livekit.agents import SpeechCreatedEvent
from livekit.agents.voice.run_result import RunResult

from lastword import signals
from lastword.bridge.chat_items import RunPointer
from lastword.dispatch import Dispatch
from lastword.errors import ConversationError
from lastword.graphs_config import CallGraph
from lastword.hangup.call_end import CallEnd
from lastword.testing.levels.call_time import Timed, acts_in, pass_time, silence_seconds
from lastword.testing.levels.event_reading import end_of, ending_in
from lastword.testing.levels.session_call import SessionCall, first_done
from lastword.testing.observed import Stopwatch
from lastword.testing.reply import End, Reply
from lastword.testing.transcripts.transcript import (
    CallerSays,
    Cut,
    HangsUp,
    Silence,
    Trigger,
    Voicemail,
)
from lastword.testing.wording import heard_until

_RESULT_SECONDS = 5.0
"""Longest wait for LiveKit's result of a turn after its call is over."""
_LEFT = CallEnd("caller", "caller_hung_up")


class NotSaid(Exception):
    """The caller should interrupt the agent after words that the agent did not say."""

    def __init__(self, words: str, said: str) -> None:
        super().__init__(f"the agent did not say {words!r}")
        self.words = words
        self.said = said


class CallDriver:
    """A call in which the caller acts turn by turn; create it with ``driven_call``."""

    def __init__(self, on: SessionCall) -> None:
        self._on = on
        self._call = on.call
        self._session = on.call.session
        self._ended: asyncio.Queue[tuple[RunPointer, float]] = asyncio.Queue()
        self._watch = Stopwatch()
        self._pending: asyncio.Future[Any] | None = None
        self._call.graph_llm.on("run_ended", self._run_ended)

    @property
    def end(self) -> End | None:
        """How the call ended; None while it is open."""
        return end_of(self._on.events.recorded)

    @property
    def hang_ups(self) -> int:
        """How often the line was taken down."""
        return self._on.line.removals

    async def open(self, cut: Cut | None) -> Reply:
        """Connect the call; return the agent's opening if the agent speaks first.

        ``cut`` is the next turn, if it interrupts this answer: the reply then has what the caller
        heard until the interruption. A goodbye over a farewell changes nothing: the whole farewell
        is played, and both turns end with it.

        Raises:
            NotSaid: the agent did not say the words after which ``cut`` should interrupt it.
        """
        self._begin(cut)
        self._on.may_open.set()
        if self._on.policy.first_speaker == "caller":
            result = await self._on.opening
            await result
            return Reply(result=result)
        return await self._answer(self._on.opening, cut)

    async def take(self, trigger: Trigger, cut: Cut | None) -> Reply:
        """Do what ``trigger`` says, and return the agent's answer.

        Raises:
            NotSaid: as in ``open``.
            ConversationError: the policy of the call makes ``trigger`` impossible.
        """
        pending, self._pending = self._pending, None
        if pending is not None:  # the caller's words stopped a farewell
            if cut is None:
                self._on.loudspeaker.release()
            return await self._answered(pending, cut)
        if self.end is not None:
            return Reply(end=self.end, is_over=True)
        while not self._ended.empty():  # a turn may have had several runs
            self._ended.get_nowait()
        self._begin(cut)
        match trigger:
            case HangsUp():
                self._call.end(_LEFT)
                await self._on.running
                return await self._reply(None)
            case CallerSays() as said:
                return await self._answer(self._session.run(user_input=said.understood), cut)
            case Voicemail(voicemail=words):
                event = signals.Voicemail(kind="voicemail", words=words)
                return await self._answer(await self._call.graph_llm.tell(event), cut)
            case _:
                return await self._time_passes(trigger, cut)

    async def aclose(self) -> None:
        """End the call, if it is still open."""
        self._call.end(CallEnd("operator", "conversation_over"))
        await self._on.running

    async def _time_passes(self, turn: Timed, cut: Cut | None) -> Reply:
        """Move the clock, and return what the call does by itself."""
        began = self._on.clock.time()
        with self._on.speeches() as speeches:
            await pass_time(turn, self._on)
            speech = await first_done(speeches.get(), self._on.farewell_played(), self._on.running)
        if isinstance(speech, SpeechCreatedEvent):
            by_limit = any(
                event["event"] == "ending" and event["source"] == "limit" for event in self._on.news
            )
            reply = await self._answer(speech.speech_handle, cut, runs=not by_limit)
        else:  # a limit ended the call without spoken words
            await self._on.come_to_the_end()
            reply = await self._reply(None)
        if isinstance(turn, Silence) and cut is None and not reply.is_over:
            await self._rest_of(turn, began)
        return reply

    async def _rest_of(self, turn: Silence, began: float) -> None:
        """Let the caller stay silent after the answer too, for the rest of the turn's seconds."""
        seconds = silence_seconds(turn, self._on.policy)
        await self._on.clock.advance_to(began + seconds)
        if len(acts_in(self._on.news)) > 1:
            raise ConversationError(
                f"the call does two things in {seconds:g} seconds of silence; "
                "write a `silence` for each"
            )

    def _begin(self, cut: Cut | None) -> None:
        """Begin a new exchange; with ``cut`` the answer is held, so that it can be interrupted."""
        self._on.begin_exchange()
        self._on.hold_answer(cut is not None)
        self._watch = Stopwatch()

    async def _answer(self, answer: Awaitable[Any], cut: Cut | None, *, runs: bool = True) -> Reply:
        """Return the answer as far as the caller hears it; ``runs``: it comes from a graph run."""
        return await self._answered(asyncio.ensure_future(_settled(answer)), cut, runs=runs)

    async def _answered(
        self, pending: asyncio.Future[Any], cut: Cut | None, *, runs: bool = True
    ) -> Reply:
        pointer, seconds = None, 0.0
        if runs:
            ended = first_done(self._ended.get(), pending, self._on.running)
            pointer, seconds = await ended or (None, 0.0)
        if pointer is not None and pointer.get("ending"):
            await first_done(self._on.ending_known(), self._on.running)
        if cut is not None and cut.over is not None:
            await first_done(self._on.loudspeaker.captured.wait(), pending)
            return replace(await self._cut(pending, pointer, cut, cut.over), seconds=seconds)
        await first_done(self._on.farewell_played(), pending, self._on.running)
        if self._on.is_ending:
            await self._on.come_to_the_end()
            # an opening that ended the call has no result: LiveKit's start was cut short
            seconds_left = _RESULT_SECONDS if self._on.opening.done() else 0.0
            await asyncio.wait({pending}, timeout=seconds_left)
        pending.cancel()
        result = pending.result() if pending.done() and not pending.cancelled() else None
        reply = await self._reply(pointer)
        return replace(
            reply, seconds=seconds, result=result if isinstance(result, RunResult) else None
        )

    async def _cut(
        self, pending: asyncio.Future[Any], pointer: RunPointer | None, cut: Cut, over: str
    ) -> Reply:
        """Interrupt the held answer as ``cut`` says."""
        loudspeaker, said = self._on.loudspeaker, self._on.subtitles.text.strip()
        heard = heard_until(said, over)
        if heard is None:
            loudspeaker.hold = False
            raise NotSaid(over, said)
        loudspeaker.played_text = heard
        is_ending = self._on.is_ending
        if isinstance(cut, HangsUp):
            self._call.end(_LEFT)
            await self._on.running
            reply = replace(await self._reply(pointer), said=heard)
            # hanging up is the next turn, so this one has no end unless it was a farewell
            return reply if is_ending else replace(reply, end=None, is_over=False)
        if is_ending:
            return await self._speak_over(cut.understood, pointer)
        await self._session.interrupt(force=True)
        await pending
        return await self._reply(pointer)

    async def _speak_over(self, words: str, pointer: RunPointer | None) -> Reply:
        """Let the caller speak over a farewell; the call decides what that changes."""
        understood = asyncio.Event()

        def heard(event: Any) -> None:
            if event.is_final:
                understood.set()

        reply = replace(await self._reply(pointer), end=ending_in(self._on.news))
        spoken = self._on.events.names.count("agent_said")
        self._session.on("user_input_transcribed", heard)
        try:
            with self._on.speeches() as speeches:
                self._on.recogniser.hear_turn(words)
                await understood.wait()
                if self._on.is_ending:
                    self._on.loudspeaker.play()
                    await self._on.come_to_the_end()
                    return replace(reply, said=self._on.subtitles.text.strip(), is_over=True)
                reply = replace(reply, said=self._on.loudspeaker.played_text)
                await self._on.events.until("agent_said", times=spoken + 1)
                self._begin(cut=None)
                self._on.hold_answer(hold=True)  # it may be interrupted too; ``take`` decides
                speech = (await speeches.get()).speech_handle
                self._pending = asyncio.ensure_future(_settled(speech))
        finally:
            self._session.off("user_input_transcribed", heard)
        return reply

    def _run_ended(self, run: str, pointer: RunPointer) -> None:  # noqa: ARG002 - LiveKit's order
        self._ended.put_nowait((pointer, self._watch.seconds))

    async def _reply(self, pointer: RunPointer | None) -> Reply:
        said = [event["words"] for event in self._on.news if event["event"] == "agent_said"]
        state = await self._on.state_after(pointer)
        return Reply(
            said=" ".join(said),
            nodes=pointer["nodes"] if pointer else (),
            tools=self._on.tools.take(),
            state=state,
            end=self.end or ending_in(self._on.news),
            is_over=self.end is not None,
            forgotten=self._on.words.take(pointer, state),
        )


async def _settled(answer: Awaitable[Any]) -> Any:
    return await answer


@asynccontextmanager
async def driven_call(
    graph: CallGraph,
    dispatch: Dispatch,
    observers: Sequence[BaseCallbackHandler] = (),
    more_context: Mapping[str, Any] | None = None,
    *,
    spoken: bool,
) -> AsyncIterator[CallDriver]:
    """Call ``graph`` in a LiveKit session; the arguments are those of ``SessionCall``."""
    on = SessionCall(graph, dispatch, observers, more_context, spoken=spoken)
    driver = CallDriver(on)
    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            on.running = tasks.create_task(on.run())
            try:
                yield driver
            except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - re-raised outside of the group
                failure = error
            await driver.aclose()
    finally:
        await on.call.session.aclose()
    if failure is not None:
        raise failure
