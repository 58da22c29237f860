"""The end of a call as a table: its phases, and the conditions that lead from one to the next.

Pure code, and level-triggered: the table looks at facts that hold now, never at past events.
``closing`` keeps the facts, asks the table whenever one of them changes, and does what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

VOICE_GRACE = 1.5
"""Seconds that a recogniser has to make words of a sound that fell into farewell or tail."""
VOICE_MAX = 10.0
"""Seconds after the farewell that a sound without words can hold the hang-up off."""


class Phase(StrEnum):
    """Where a call is on its way to its end."""

    TALKING = "talking"
    ENDING = "ending"
    """The farewell is being made or played."""
    DRAINING = "draining"
    """The farewell has been played; audio in flight still arrives during the tail."""
    HANGING_UP = "hanging_up"
    GONE = "gone"
    """The line was seen to be gone."""
    GIVEN_UP = "given_up"
    """Every try failed: the line may still be up."""


LineState = Literal["up", "gone", "stuck"]


@dataclass(frozen=True)
class Limits:
    """Seconds: the tail, and how long a farewell may take to be played."""

    tail: float
    farewell_max_wait: float


@dataclass(frozen=True)
class Facts:
    """The facts about one call; all times in seconds on one monotonic clock.

    ``since`` is when the present phase began. ``voice`` says since when the caller has been making
    a sound, ``unheard`` when a sound ended whose words have not come; None: there is none.
    """

    now: float
    since: float
    cut_short: bool = False
    """Somebody has ended the call at once: a caller who left, an operator, a limit, an error."""
    farewell: bool = False
    """An ending is on its way and has not been called off."""
    played_at: float | None = None
    wants_more: bool = False
    """The caller has said over the farewell that the call is not over."""
    voice: float | None = None
    unheard: float | None = None
    line: LineState = "up"


@dataclass(frozen=True)
class Row:
    """From ``phase``, when ``condition`` holds, to ``to``; ``why`` is for people."""

    phase: Phase
    condition: Callable[[Facts, Limits], bool]
    to: Phase
    why: str


def _cut_short(facts: Facts, _: Limits) -> bool:
    return facts.cut_short


def _wants_more(facts: Facts, _: Limits) -> bool:
    return facts.wants_more


def _farewell(facts: Facts, _: Limits) -> bool:
    return facts.farewell


def _played(facts: Facts, _: Limits) -> bool:
    return facts.played_at is not None


def _overdue(facts: Facts, limits: Limits) -> bool:
    return facts.now >= facts.since + limits.farewell_max_wait


def _tail_over(facts: Facts, limits: Limits) -> bool:
    return facts.now >= _tail_end(facts, limits)


def _tail_end(facts: Facts, limits: Limits) -> float:
    """When the tail is over; later while a sound of the caller's may still turn into words."""
    played = facts.since if facts.played_at is None else facts.played_at
    words_by = played
    if facts.voice is not None:
        words_by = played + VOICE_MAX
    elif facts.unheard is not None:
        words_by = min(facts.unheard + VOICE_GRACE, played + VOICE_MAX)
    return max(played + limits.tail, words_by)


def _gone(facts: Facts, _: Limits) -> bool:
    return facts.line == "gone"


def _stuck(facts: Facts, _: Limits) -> bool:
    return facts.line == "stuck"


_T, _E, _D, _H = Phase.TALKING, Phase.ENDING, Phase.DRAINING, Phase.HANGING_UP
TABLE: tuple[Row, ...] = (
    Row(_T, _cut_short, _H, "somebody ended the call at once"),
    Row(_T, _farewell, _E, "the call is to end after a farewell"),
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
"""The first row of a phase whose condition holds is the one that counts."""


def next_row(phase: Phase, facts: Facts, limits: Limits) -> Row | None:
    """What moves the call on now; None: it stays where it is."""
    rows = (row for row in TABLE if row.phase == phase)
    return next((row for row in rows if row.condition(facts, limits)), None)


def wake_at(phase: Phase, facts: Facts, limits: Limits) -> float | None:
    """When time alone would move the call on; None: never."""
    match phase:
        case Phase.ENDING:
            return facts.since + limits.farewell_max_wait
        case Phase.DRAINING:
            return _tail_end(facts, limits)
        case _:
            return None
