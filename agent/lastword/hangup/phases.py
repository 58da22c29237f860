"""The end of a call as a table: its phases, and the conditions that lead from one to the next.

The code is pure. The conditions depend only on the present facts, never on past events. ``closing``
keeps the facts, evaluates the table whenever one of them changes, and acts on the result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

VOICE_GRACE = 1.5
"""Seconds that the recogniser has to return the words of a sound during farewell or tail."""
VOICE_MAX = 10.0
"""Seconds after the farewell for which a sound without words can delay the hang-up."""


class Phase(StrEnum):
    """The phases of a call's end."""

    TALKING = "talking"
    ENDING = "ending"
    """The farewell is being generated or played."""
    DRAINING = "draining"
    """The farewell has been played; audio in flight still arrives during the tail."""
    HANGING_UP = "hanging_up"
    GONE = "gone"
    """The line is confirmed to be gone."""
    GIVEN_UP = "given_up"
    """Every attempt failed: the line may still be up."""


LineState = Literal["up", "gone", "stuck"]


@dataclass(frozen=True)
class FarewellLimits:
    """In seconds: the tail, and the time limit of a farewell."""

    tail: float
    farewell_max_wait: float


@dataclass(frozen=True)
class Facts:
    """The facts about one call; all times in seconds on one monotonic clock.

    ``since``: when the present phase began. ``played_at``: when the farewell was played to its end.
    ``voice``: since when the caller has been making a sound. ``unheard``: when a sound ended whose
    words are not yet recognised. None: not applicable.
    """

    now: float
    since: float
    cut_short: bool = False
    """The call was ended at once: the caller left, or an operator, a limit or an error ended it."""
    farewell: bool = False
    """The call is ending, and the ending has not been called off."""
    played_at: float | None = None
    wants_more: bool = False
    """The caller has spoken over the farewell, and the call is to go on."""
    voice: float | None = None
    unheard: float | None = None
    line: LineState = "up"


@dataclass(frozen=True)
class Row:
    """From ``phase``, if ``condition`` holds, to ``to``; ``why`` is for the event."""

    phase: Phase
    condition: Callable[[Facts, FarewellLimits], bool]
    to: Phase
    why: str


def _cut_short(facts: Facts, _: FarewellLimits) -> bool:
    return facts.cut_short


def _wants_more(facts: Facts, _: FarewellLimits) -> bool:
    return facts.wants_more


def _farewell(facts: Facts, _: FarewellLimits) -> bool:
    return facts.farewell


def _played(facts: Facts, _: FarewellLimits) -> bool:
    return facts.played_at is not None


def _overdue(facts: Facts, limits: FarewellLimits) -> bool:
    return facts.now >= facts.since + limits.farewell_max_wait


def _tail_over(facts: Facts, limits: FarewellLimits) -> bool:
    return facts.now >= _tail_end(facts, limits)


def _tail_end(facts: Facts, limits: FarewellLimits) -> float:
    """When the tail is over; later while the words of a caller's sound may still come."""
    played = facts.since if facts.played_at is None else facts.played_at
    words_by = played
    if facts.voice is not None:
        words_by = played + VOICE_MAX
    elif facts.unheard is not None:
        words_by = min(facts.unheard + VOICE_GRACE, played + VOICE_MAX)
    return max(played + limits.tail, words_by)


def _gone(facts: Facts, _: FarewellLimits) -> bool:
    return facts.line == "gone"


def _stuck(facts: Facts, _: FarewellLimits) -> bool:
    return facts.line == "stuck"


_T, _E, _D, _H = Phase.TALKING, Phase.ENDING, Phase.DRAINING, Phase.HANGING_UP
TABLE: tuple[Row, ...] = (
    Row(_T, _cut_short, _H, "somebody ended the call at once"),
    Row(_T, _farewell, _E, "the call will end after a farewell"),
    Row(_E, _cut_short, _H, "somebody ended the call during the farewell"),
    Row(_E, _wants_more, _T, "the caller spoke over the farewell"),
    Row(_E, _played, _D, "the farewell was played to its end"),
    Row(_E, _overdue, _H, "the farewell took too long"),
    Row(_D, _cut_short, _H, "somebody ended the call during the tail"),
    Row(_D, _wants_more, _T, "the caller spoke in the tail"),
    Row(_D, _tail_over, _H, "the tail is over"),
    Row(_H, _gone, Phase.GONE, "the line was seen to be gone"),
    Row(_H, _stuck, Phase.GIVEN_UP, "nothing took the line down"),
)
"""For each phase, the first row whose condition holds applies."""


def next_row(phase: Phase, facts: Facts, limits: FarewellLimits) -> Row | None:
    """The row that applies now; None: the phase does not change."""
    rows = (row for row in TABLE if row.phase == phase)
    return next((row for row in rows if row.condition(facts, limits)), None)


def wake_at(phase: Phase, facts: Facts, limits: FarewellLimits) -> float | None:
    """When the phase will change if no fact but the time changes; None: never."""
    match phase:
        case Phase.ENDING:
            return facts.since + limits.farewell_max_wait
        case Phase.DRAINING:
            return _tail_end(facts, limits)
        case _:
            return None
