"""How right decisions were, in figures. Pure code: decisions in, numbers out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import comb
from statistics import mean, median

from lastword.testing.intervals import wilson
from lastword.tools.evaluation.decision import Decision, Verdict


def mcnemar(only_first: int, only_second: int) -> float:
    """How probable so unequal a split would be if both sides were equally good (two-sided).

    McNemar's test in its exact form: the cases that only one side has right, as throws of a coin.
    Q. McNemar, Psychometrika 12 (1947), 153-157. 1.0 when there is no such case.
    """
    thrown, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(comb(thrown, heads) for heads in range(fewer + 1))
    return min(1.0, tail / 2 ** (thrown - 1)) if thrown else 1.0


@dataclass(frozen=True)
class Share:
    """So many ``of`` so many; of none there is no share and no interval."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """From 0 to 1."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % confidence interval."""
        return wilson(self.hits, self.of) if self.of else None


@dataclass(frozen=True)
class Lateness:
    """What became of missed endings when the caller went on saying goodbye.

    ``after``: how many goodbyes more → in how many calls; ``never``: calls not ended within them.
    """

    after: dict[int, int]
    never: int

    @property
    def mean(self) -> float | None:
        """Turns late on average, of those that ended."""
        turns = list(Counter(self.after).elements())
        return mean(turns) if turns else None


@dataclass(frozen=True)
class Figures:
    """The figures of one side, or of a part of its cases.

    Shares count failed cases and early hang-ups as what they are: never right. ``precision`` is of
    all endings, early ones too; ``recall`` of all cases labelled end; ``false`` (with the early
    ones) of all labelled continue; ``missed`` of all labelled end.
    """

    right: Share
    precision: Share
    recall: Share
    false: Share
    missed: Share
    early: int
    failed: int
    late: Lateness
    seconds: float | None
    """Median time of a decision; None when every case failed or ended early."""


def figures(decisions: Sequence[Decision]) -> Figures:
    """Count."""
    to_end = [one.verdict for one in decisions if one.case.label == "end"]
    to_go_on = [one.verdict for one in decisions if one.case.label == "continue"]
    verdicts = [*to_end, *to_go_on]
    ended_right = to_end.count("right")
    ended_wrong = verdicts.count("false") + verdicts.count("early")
    false = to_go_on.count("false") + to_go_on.count("early")
    missed = [one for one in decisions if one.verdict == "missed"]
    times = [one.seconds for one in decisions if one.outcome in ("ended", "went_on")]
    return Figures(
        right=Share(verdicts.count("right"), len(verdicts)),
        precision=Share(ended_right, ended_right + ended_wrong),
        recall=Share(ended_right, len(to_end)),
        false=Share(false, len(to_go_on)),
        missed=Share(len(missed), len(to_end)),
        early=verdicts.count("early"),
        failed=verdicts.count("failed"),
        late=_lateness(missed),
        seconds=median(times) if times else None,
    )


def grouped(
    decisions: Iterable[Decision], name: Callable[[Decision], str]
) -> dict[str, list[Decision]]:
    """Decisions by ``name``, in the order of the alphabet."""
    groups: dict[str, list[Decision]] = {}
    for one in decisions:
        groups.setdefault(name(one), []).append(one)
    return dict(sorted(groups.items()))


def tally(decisions: Iterable[Decision], verdict: Verdict) -> int:
    """How many decisions got ``verdict``."""
    return sum(one.verdict == verdict for one in decisions)


@dataclass(frozen=True)
class Difference:
    """Two sides on the same cases.

    ``differing`` are the pairs with another outcome; ``only_first`` and ``only_second`` count the
    cases that one side alone has right, without the ``left_out``, on which a side failed.
    """

    differing: tuple[tuple[Decision, Decision], ...]
    only_first: int
    only_second: int
    left_out: int

    @property
    def p(self) -> float:
        """McNemar's exact p, two-sided."""
        return mcnemar(self.only_first, self.only_second)


def difference(first: Sequence[Decision], second: Sequence[Decision]) -> Difference:
    """Compare two sides.

    Raises:
        ValueError: they are not of the same cases in the same order.
    """
    if [one.case.id for one in first] != [one.case.id for one in second]:
        raise ValueError("the two sides have not had the same cases")
    pairs = list(zip(first, second, strict=True))
    whole = [pair for pair in pairs if "failed" not in (pair[0].outcome, pair[1].outcome)]
    rights = Counter((a.verdict == "right", b.verdict == "right") for a, b in whole)
    return Difference(
        differing=tuple(pair for pair in pairs if pair[0].outcome != pair[1].outcome),
        only_first=rights[True, False],
        only_second=rights[False, True],
        left_out=len(pairs) - len(whole),
    )


def _lateness(missed: Sequence[Decision]) -> Lateness:
    turns = [one.late for one in missed]
    after = Counter(turn for turn in turns if turn is not None)
    return Lateness(dict(sorted(after.items())), turns.count(None))
