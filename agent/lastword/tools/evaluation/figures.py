"""The decisions of a graph, and figures of how many were right (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import comb
from statistics import mean, median
from typing import Literal

from lastword.testing.intervals import wilson
from lastword.tools.evaluation.dataset import Case

Outcome = Literal["ended", "went_on", "early", "failed"]
Verdict = Literal["right", "false", "missed", "early", "failed"]


@dataclass(frozen=True)
class Decision:
    """What the graph decided in one case.

    Args:
        case: the case.
        outcome: after the caller's last line the graph ``ended`` the call or ``went_on``; or it
            ended the call before that line (``early``); or it ``failed``.
        asked: the agent's words before the caller's last line, in this call.
        said: the graph's answer, without an end token.
        reason: the ending's reason; None without an ending.
        seconds: from the caller's last words to the end of the answer.
        late: after a missed ending, the number of goodbyes until the graph ended the call; None
            if it did not.
        why: the error, or the line after which the early ending came.
    """

    case: Case
    outcome: Outcome
    asked: str = ""
    said: str = ""
    reason: str | None = None
    seconds: float = 0.0
    late: int | None = None
    why: str = ""

    @property
    def verdict(self) -> Verdict:
        """``right``, or the mistake: ``false`` cut a call off, ``missed`` did not end it."""
        match self.outcome, self.case.label:
            case ("early" | "failed") as verdict, _:
                return verdict
            case "ended", "continue":
                return "false"
            case "went_on", "end":
                return "missed"
            case _:
                return "right"


@dataclass(frozen=True)
class Side:
    """All decisions of one graph with one model, in the order of the cases.

    ``model``: names of the models that answered, or "unknown".
    """

    graph: str
    model: str
    decisions: tuple[Decision, ...]


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p-value of McNemar's exact test.

    The arguments count the cases that only one side has right; 1.0 when both are 0. The test is a
    binomial test with p = 0.5: Q. McNemar, Psychometrika 12 (1947), 153-157.
    """
    trials, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(comb(trials, successes) for successes in range(fewer + 1))
    return min(1.0, tail / 2 ** (trials - 1)) if trials else 1.0


@dataclass(frozen=True)
class Share:
    """``hits`` out of ``total``. With ``total == 0`` there is no share."""

    hits: int
    total: int

    @property
    def value(self) -> float | None:
        """From 0 to 1; None with ``total == 0``."""
        return self.hits / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % confidence interval (Wilson); None with ``total == 0``."""
        return wilson(self.hits, self.total) if self.total else None


@dataclass(frozen=True)
class Lateness:
    """When calls with a missed ending ended, while the caller went on saying goodbye.

    ``after``: number of goodbyes → number of calls; ``never``: calls that did not end.
    """

    after: dict[int, int]
    never: int

    @property
    def mean(self) -> float | None:
        """Mean number of goodbyes of the calls that ended; None if none did."""
        turns = list(Counter(self.after).elements())
        return mean(turns) if turns else None


@dataclass(frozen=True)
class Figures:
    """The figures of some decisions of one side.

    Failed cases and early hang-ups are never right, and count in every total of their label.
    ``precision``: right endings out of all endings, early ones included; ``recall``: right endings
    out of the cases labelled end; ``false``: false and early hang-ups out of the cases labelled
    continue; ``missed``: missed endings out of the cases labelled end.
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
    """Median time of a decision; None if every case failed or ended early."""


def figures(decisions: Sequence[Decision]) -> Figures:
    """Count the verdicts."""
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
    """Decisions by ``name``, sorted by it."""
    groups: dict[str, list[Decision]] = {}
    for one in decisions:
        groups.setdefault(name(one), []).append(one)
    return dict(sorted(groups.items()))


def tally(decisions: Iterable[Decision], verdict: Verdict) -> int:
    """The number of decisions with ``verdict``."""
    return sum(one.verdict == verdict for one in decisions)


@dataclass(frozen=True)
class Difference:
    """Two sides on the same cases.

    ``differing``: pairs with different outcomes; ``only_first``, ``only_second``: the number of
    cases that only one side has right; ``left_out``: the number of cases on which a side failed;
    these are in neither number.
    """

    differing: tuple[tuple[Decision, Decision], ...]
    only_first: int
    only_second: int
    left_out: int

    @property
    def p(self) -> float:
        """The two-sided p-value of McNemar's exact test."""
        return mcnemar(self.only_first, self.only_second)


def difference(first: Sequence[Decision], second: Sequence[Decision]) -> Difference:
    """Compare two sides.

    Raises:
        ValueError: the sides do not have the same cases in the same order.
    """
    if [one.case.id for one in first] != [one.case.id for one in second]:
        raise ValueError("the two sides do not have the same cases")
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
