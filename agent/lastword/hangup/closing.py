"""A call on its way to its end: the facts, the phase they put it in, and the one removal.

Everything that is reported here takes effect at once, in the caller's own step of the event loop;
only time itself has a timer. So no event can be missed, whatever the order they come in.
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
from lastword.hangup.phases import Facts, Limits, LineState, Phase, Row, next_row, wake_at

_BEFORE_REMOVAL = (Phase.TALKING, Phase.ENDING, Phase.DRAINING)


class Farewell:
    """A farewell on its way; what is reported of one that was called off has no effect."""

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
        """Its sound was cleared away before its end, and not by a caller who spoke over it."""
        self.voice: float | None = None
        self.unheard: float | None = None
        self._words_at: float | None = None
        self._advance = advance
        self._now = now
        self._unanswered = unanswered
        self._settled = asyncio.Event()

    def played(self) -> None:
        """The last sample has been played."""
        if self.played_at is None:
            self.played_at = self._now()
            self._advance()

    def call_off(self) -> None:
        """The caller has said that the call is not over."""
        self.wants_more = True
        self._advance()

    def makes_sound(self, *, speaking: bool) -> None:
        """The caller begins or stops making a sound."""
        if speaking and self.voice is None:
            self.voice, self._words_at = self._now(), None
        elif not speaking and self.voice is not None:
            # words that came during a sound may be only the first of it
            self.unheard = self._now() if self._words_at is None else self._words_at
            self.voice = None
        self._advance()

    def caller_said(self, words: str) -> None:
        """The caller has said ``words`` over it, and LiveKit puts them into no turn."""
        self._unanswered.append(words)

    def words_came(self) -> None:
        """What the caller said has been understood."""
        self.unheard, self._words_at = None, self._now()
        self._advance()

    def settle(self) -> None:
        """It was called off, or the call is over."""
        self._settled.set()

    async def settled(self) -> None:
        """Wait until it was called off, or the call is over."""
        await self._settled.wait()


class Closing:
    """One call's way from talking to gone, by the table of ``phases``.

    Must be made in a running event loop.

    Args:
        events: gets every change of phase.
        limits: the tail, and how long a farewell may take.
        clock: times tail and farewell; default: the event loop.
    """

    def __init__(self, events: EventStream, limits: Limits, clock: Clock | None = None) -> None:
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
        """Whether nothing has ended the call so far."""
        return self.phase is Phase.TALKING

    @property
    def is_decided(self) -> bool:
        """Whether the call is over for good; its line may still be up."""
        return self._decided.is_set()

    @property
    def end(self) -> CallEnd:
        """Who ended the call and why: whoever decided first, as far as it is decided.

        A caller who leaves during the farewell does not change what the graph has decided.
        """
        if self._farewell is None:
            return self._cut or CallEnd("error", "undecided")
        reason = self._cut.disconnect_reason if self._cut else None
        return replace(self._farewell.end, disconnect_reason=reason)

    @property
    def farewell(self) -> FarewellState:
        """What became of the farewell."""
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
        """End the call at once; without effect when that has happened or is happening."""
        if self.phase in _BEFORE_REMOVAL:
            self._cut = end
            self._advance()

    def begin_farewell(self, end: CallEnd, source: str) -> Farewell | None:
        """End the call after a farewell; None when it is ending already.

        ``source`` is for the record: where the decision came from.
        """
        if not self.is_talking:
            return None
        farewell = self._farewell = Farewell(end, self._advance, self._now, self._unanswered)
        farewell.was_muted = self._is_muted
        self._source = source
        self._advance()
        return farewell

    def take_unanswered(self) -> list[str]:
        """Hand over, once, what the caller said over farewells: it belongs to the next turn.

        What nobody has taken when the line is taken down is written into the record.
        """
        words = self._unanswered.copy()
        self._unanswered.clear()
        return words

    def agent_muted(self, muted: bool) -> None:
        """Somebody with power over the room has silenced the agent's voice, or given it back."""
        self._is_muted = muted
        farewell = self._farewell
        if muted and farewell is not None and farewell.played_at is None:
            farewell.was_muted = True

    async def decided(self) -> CallEnd:
        """Wait until the line is to be taken down; returns how the call ended."""
        await self._decided.wait()
        return self.end

    async def take_down(self, lines: Sequence[Line]) -> None:
        """Remove the line, once, and see that it is gone; returns when no more can be done."""
        self._removed = await hang_up(lines)
        self._line = "stuck" if self._removed is None else "gone"
        self._advance()

    def write_end(self) -> None:
        """Close the record: who ended the call, why, and what became of farewell and line."""
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
        self._events.emit(self._step(row))
        if row.to is Phase.TALKING:
            self._farewell = None
        if row.to is Phase.HANGING_UP:
            self._decided.set()
            for words in self.take_unanswered():
                said = CallerSaid(
                    event="caller_said", **self._events.moment(), words=words, metrics={}
                )
                self._events.emit(said)
        if farewell is not None and row.to in (Phase.TALKING, Phase.GONE, Phase.GIVEN_UP):
            farewell.settle()

    def _step(self, row: Row) -> Event:
        """The event for a step that was just taken."""
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
