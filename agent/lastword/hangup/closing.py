"""The state machine of one call's end: its facts, its phase, and the hang-up.

Every report to it takes effect synchronously, and only deadlines use a timer. So no report is
missed, in whatever order they come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from lastword.clock import Clock, Timer
from lastword.events import (
    CallEnded,
    CallerSaid,
    EndingCalledOff,
    EndingDecided,
    Event,
    EventStream,
    FarewellPlayed,
    FarewellState,
    HangingUp,
    HangUpFailed,
    LineGone,
    Step,
)
from lastword.hangup.call_end import CallEnd
from lastword.hangup.hang_up import Line, hang_up
from lastword.hangup.phases import Facts, FarewellLimits, LineState, Phase, Row, next_row, wake_at

_BEFORE_REMOVAL = (Phase.TALKING, Phase.ENDING, Phase.DRAINING)


class Farewell:
    """One farewell. Reports about a farewell that was called off have no effect."""

    def __init__(
        self,
        end: CallEnd,
        advance: Callable[[], None],
        now: Callable[[], float],
        unanswered: list[str],
    ) -> None:
        self.end = end
        self.played_at: float | None = None
        self.wants_more = False
        self.has_no_voice = False
        self.is_empty = False
        self.was_muted = False
        self.was_cut = False
        """Its audio was cleared before its end, but not because the caller spoke over it."""
        self.voice: float | None = None
        self.unheard: float | None = None
        self._words_at: float | None = None
        self._advance = advance
        self._now = now
        self._unanswered = unanswered
        self._settled = asyncio.Event()

    def played(self) -> None:
        """Report that the last sample has been played."""
        if self.played_at is None:
            self.played_at = self._now()
            self._advance()

    def call_off(self) -> None:
        """Report that the caller wants to go on: the hang-up is called off."""
        self.wants_more = True
        self._advance()

    def makes_sound(self, *, speaking: bool) -> None:
        """Report that the caller has started or stopped making a sound."""
        if speaking and self.voice is None:
            self.voice, self._words_at = self._now(), None
        elif not speaking and self.voice is not None:
            # words recognised during a sound may be only its first words
            self.unheard = self._now() if self._words_at is None else self._words_at
            self.voice = None
        self._advance()

    def caller_said(self, words: str) -> None:
        """Report ``words`` that the caller said over it; LiveKit adds them to no turn."""
        self._unanswered.append(words)

    def words_came(self) -> None:
        """Report that the caller's words were recognised, and do not call the hang-up off."""
        self.unheard, self._words_at = None, self._now()
        self._advance()

    def settle(self) -> None:
        """Report that it was called off, or that the hang-up is over."""
        self._settled.set()

    async def settled(self) -> None:
        """Wait until it was called off, or the hang-up is over."""
        await self._settled.wait()


class Closing:
    """Takes one call from "talking" to "gone", by the table of ``phases``.

    Create it in a running event loop.

    Args:
        events: receives every change of phase.
        limits: the length of the tail, and the time limit of a farewell.
        clock: the clock for tail and farewell; default: the event loop.
    """

    def __init__(
        self, events: EventStream, limits: FarewellLimits, clock: Clock | None = None
    ) -> None:
        self._clock = clock or asyncio.get_running_loop()
        self._now = self._clock.time
        self._events = events
        self._limits = limits
        self.phase = Phase.TALKING
        self._since = self._now()
        self._cut: CallEnd | None = None
        self._farewell: Farewell | None = None
        self._unanswered: list[str] = []
        self._source = ""
        self._line: LineState = "up"
        self._removed: str | None = None
        self._is_muted = False
        self._decided = asyncio.Event()
        self._timer: Timer | None = None

    @property
    def is_talking(self) -> bool:
        """Whether the call is in the phase "talking"."""
        return self.phase is Phase.TALKING

    @property
    def is_decided(self) -> bool:
        """Whether the end is final; the line may still be up."""
        return self._decided.is_set()

    @property
    def end(self) -> CallEnd:
        """Who ended the call and why, as decided so far; the first decision counts.

        If the caller leaves during a farewell, the decision behind the farewell still counts.
        """
        if self._farewell is None:
            return self._cut or CallEnd("error", "undecided")
        reason = self._cut.disconnect_reason if self._cut else None
        return replace(self._farewell.end, disconnect_reason=reason)

    @property
    def farewell(self) -> FarewellState:
        """How the farewell was played."""
        farewell = self._farewell
        if farewell is None:
            return "none"
        if farewell.has_no_voice:
            return "failed"
        if farewell.is_empty:
            return "none"
        if farewell.was_muted:
            return "muted"
        if farewell.played_at is not None and not farewell.was_cut:
            return "played"
        return "cut_short" if self._cut or farewell.was_cut else "overdue"

    def cut_short(self, end: CallEnd) -> None:
        """End the call at once; has no effect when the hang-up has already begun."""
        if self.phase in _BEFORE_REMOVAL:
            self._cut = end
            self._advance()

    def begin_farewell(self, end: CallEnd, source: str) -> Farewell | None:
        """End the call after a farewell; returns None if the call is already ending.

        ``source`` is where the decision came from, for the event.
        """
        if not self.is_talking:
            return None
        farewell = self._farewell = Farewell(end, self._advance, self._now, self._unanswered)
        farewell.was_muted = self._is_muted
        self._source = source
        self._advance()
        return farewell

    def take_unanswered(self) -> list[str]:
        """Return, once, what the caller said over farewells: it belongs to the next turn.

        Words that were not taken before the hang-up are emitted as ``caller_said``.
        """
        words = self._unanswered.copy()
        self._unanswered.clear()
        return words

    def agent_muted(self, muted: bool) -> None:
        """Report that the agent's audio track was muted or unmuted."""
        self._is_muted = muted
        farewell = self._farewell
        if muted and farewell is not None and farewell.played_at is None:
            farewell.was_muted = True

    async def decided(self) -> CallEnd:
        """Wait for the start of the hang-up; returns how the call ended."""
        await self._decided.wait()
        return self.end

    async def take_down(self, lines: Sequence[Line]) -> None:
        """Hang up; returns when the line is confirmed to be gone, or every attempt has failed."""
        self._removed = await hang_up(lines)
        self._line = "stuck" if self._removed is None else "gone"
        self._advance()

    def write_end(self) -> None:
        """Close the record with ``call_ended``."""
        end = self.end
        ended = CallEnded(
            event="call_ended",
            **self._events.moment(),
            ended_by=end.ended_by,
            reason=end.reason,
            outcome=end.outcome,
            farewell=self.farewell,
            disconnect_reason=end.disconnect_reason,
            line_gone=self.phase is Phase.GONE,
        )
        self._events.emit(ended)

    def _facts(self) -> Facts:
        farewell = self._farewell
        return Facts(
            now=self._now(),
            since=self._since,
            cut_short=self._cut is not None,
            farewell=farewell is not None,
            played_at=farewell.played_at if farewell else None,
            wants_more=farewell is not None and farewell.wants_more,
            voice=farewell.voice if farewell else None,
            unheard=farewell.unheard if farewell else None,
            line=self._line,
        )

    def _advance(self) -> None:
        while (row := next_row(self.phase, self._facts(), self._limits)) is not None:
            self._enter(row)
        if self._timer is not None:
            self._timer.cancel()
        wake = wake_at(self.phase, self._facts(), self._limits)
        self._timer = None
        if wake is not None:
            self._timer = self._clock.call_at(wake, self._advance)

    def _enter(self, row: Row) -> None:
        farewell = self._farewell
        self.phase, self._since = row.to, self._now()
        event = self._step(row)
        if row.to is Phase.TALKING:
            self._farewell = None
        if row.to is Phase.HANGING_UP:
            self._decided.set()
        if farewell is not None and row.to in (Phase.TALKING, Phase.GONE, Phase.GIVEN_UP):
            farewell.settle()
        self._events.emit(event)  # last: a subscriber may end the call
        if row.to is Phase.HANGING_UP:
            self._record_unanswered()

    def _record_unanswered(self) -> None:
        """Record what the caller said over farewells and no turn of the graph has answered."""
        for words in self.take_unanswered():
            moment = self._events.moment()
            self._events.emit(CallerSaid(event="caller_said", **moment, words=words, metrics={}))

    def _step(self, row: Row) -> Event:
        """The event for the change of phase that ``row`` has just made."""
        step = Step(**self._events.moment(), phase=row.to.value, why=row.why)
        end = self.end
        match row.to:
            case Phase.TALKING:
                return EndingCalledOff(event="ending_cancelled", **step, reason=end.reason)
            case Phase.ENDING:
                return EndingDecided(
                    event="ending",
                    **step,
                    ended_by=end.ended_by,
                    reason=end.reason,
                    outcome=end.outcome,
                    source=self._source,
                )
            case Phase.DRAINING:
                return FarewellPlayed(event="farewell_played", **step)
            case Phase.HANGING_UP:
                return HangingUp(
                    event="hanging_up",
                    **step,
                    ended_by=end.ended_by,
                    reason=end.reason,
                    farewell=self.farewell,
                )
            case Phase.GONE:
                return LineGone(event="gone", **step, removed=self._removed)
            case Phase.GIVEN_UP:
                return HangUpFailed(event="hang_up_failed", **step)
