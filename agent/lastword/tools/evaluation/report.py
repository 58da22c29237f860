"""What an evaluation says to people: sentences, tables and cases to read. Pure code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lastword.tools.evaluation.decision import Decision, Side, Verdict
from lastword.tools.evaluation.figures import (
    Figures,
    Lateness,
    Share,
    difference,
    figures,
    grouped,
    tally,
)

_NOTHING = "-"
_LETTERS = ("A", "B")
_ENDED_WORDS = {"ended": "ended", "went_on": "went on", "early": "ended early", "failed": "failed"}
_VERDICT_WORDS = {
    "false": "false hang-ups",
    "early": "early hang-ups",
    "missed": "missed hang-ups",
    "failed": "failed cases",
}


@dataclass(frozen=True)
class Table:
    """Rows of cells under a title; the first cell of a row is its name."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class ReadCase:
    """A case to read: what it is, and who said what."""

    title: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Cases:
    """Cases to read under a title."""

    title: str
    cases: tuple[ReadCase, ...]


Block = str | Table | Cases


def report(header: Sequence[str], sides: Sequence[Side]) -> list[Block]:
    """The whole report on one side, or on two."""
    blocks: list[Block] = [*header, _main_table(sides)]
    blocks.append(_group_table("by category", sides, "category"))
    if any(one.case.language for one in sides[0].decisions):
        blocks.append(_group_table("by language", sides, "language"))
    if len(sides) > 1:
        blocks += _difference(*sides)
    for side in sides:
        blocks += _wrong_cases(side)
    return blocks


def side_name(side: Side) -> str:
    """A side in a column's head."""
    return f"{side.graph} ({side.model})"


def _main_table(sides: Sequence[Side]) -> Table:
    counted = [figures(side.decisions) for side in sides]
    named = [_main_rows(one) for one in counted]
    rows = [(name, *(one[name] for one in named)) for name in named[0]]
    names = [side_name(side) for side in sides]
    if len(sides) > 1:
        names = [f"{letter}: {name}" for letter, name in zip(_LETTERS, names, strict=True)]
    return Table("", ("", *names), tuple(rows))


def _main_rows(of: Figures) -> dict[str, str]:
    return {
        'precision of "end"': _share(of.precision),
        'recall of "end"': _share(of.recall),
        "false hang-ups per 100 continue": _share(of.false, sign=""),
        "missed hang-ups per 100 end": _share(of.missed, sign=""),
        "missed ones end": _lateness(of.late),
        "right": _share(of.right),
        "early hang-ups": str(of.early),
        "failed": str(of.failed),
        "time per decision, median": _seconds(of.seconds),
    }


def _group_table(title: str, sides: Sequence[Side], by: str) -> Table:
    """A row for each group: how many cases, how many right, how many wrong in each way."""
    groups = [grouped(side.decisions, lambda one: _group(one, by)) for side in sides]
    kinds = _kinds_of_wrong(sides)
    cells_of, columns = (
        (_wide_cells, ("right", "95 % interval", *kinds))
        if len(sides) == 1
        else (_narrow_cells, ("right", ", ".join(kinds)))
    )
    marks = [""] if len(sides) == 1 else [f" {letter}" for letter in _LETTERS]
    head = (by, "n", *(f"{column}{mark}" for mark in marks for column in columns))
    rows = [
        (group, str(len(some)), *(cell for side in groups for cell in cells_of(side[group], kinds)))
        for group, some in groups[0].items()
    ]
    return Table(title, head, tuple(rows))


def _group(decision: Decision, by: str) -> str:
    case = decision.case
    return case.category if by == "category" else case.language or "(not given)"


def _kinds_of_wrong(sides: Sequence[Side]) -> tuple[Verdict, ...]:
    """The ways of being wrong that deserve a column; the rarer ones only if they occurred."""
    found = {one.verdict for side in sides for one in side.decisions} | {"false", "missed"}
    order: tuple[Verdict, ...] = ("false", "missed", "early", "failed")
    return tuple(kind for kind in order if kind in found)


def _wide_cells(decisions: Sequence[Decision], kinds: Sequence[Verdict]) -> tuple[str, ...]:
    right = Share(tally(decisions, "right"), len(decisions))
    return str(right.hits), _interval(right), *(str(tally(decisions, kind)) for kind in kinds)


def _narrow_cells(decisions: Sequence[Decision], kinds: Sequence[Verdict]) -> tuple[str, ...]:
    """The same, narrow enough for two sides in one table."""
    right, interval, *wrong = _wide_cells(decisions, kinds)
    return f"{right} ({interval})", ", ".join(wrong)


def _interval(share: Share) -> str:
    low, high = share.interval or (0.0, 1.0)
    return f"{100 * low:.0f}-{100 * high:.0f}"


def _difference(first: Side, second: Side) -> list[Block]:
    found = difference(first.decisions, second.decisions)
    left_out = f", {found.left_out} left out because a side failed" if found.left_out else ""
    sentence = (
        f"Only A is right in {found.only_first} cases, only B in {found.only_second}{left_out}; "
        f"McNemar's exact test, two-sided: p = {found.p:.3g}."
    )
    read = [_differing_case(a, b) for a, b in found.differing]
    return [sentence, Cases("cases on which A and B differ", tuple(read))]


def _differing_case(a: Decision, b: Decision) -> ReadCase:
    asked = [("agent", a.asked or "(nothing)")]
    if a.asked != b.asked:
        asked = [("agent A", a.asked or "(nothing)"), ("agent B", b.asked or "(nothing)")]
    lines = (
        *asked,
        ("caller", a.case.last or "(silence)"),
        (f"A {_ENDED_WORDS[a.outcome]}", a.said or "(nothing)"),
        (f"B {_ENDED_WORDS[b.outcome]}", b.said or "(nothing)"),
    )
    return ReadCase(f"{a.case.id}, label {a.case.label}", lines)


def _wrong_cases(side: Side) -> list[Block]:
    """The wrong cases to read, a list for each way of being wrong."""
    found = []
    for verdict, words in _VERDICT_WORDS.items():
        wrong = [_wrong_case(one) for one in side.decisions if one.verdict == verdict]
        if wrong:
            found.append(Cases(f"{words} of {side_name(side)}", tuple(wrong)))
    return [*found] or [f"No wrong case of {side_name(side)}."]


def _wrong_case(decision: Decision) -> ReadCase:
    case = decision.case
    why = f"reason: {decision.reason}" if decision.reason else ""
    if decision.verdict == "missed":
        why = "never ended" if decision.late is None else f"ended {_goodbyes(decision.late)} later"
    why = "; ".join(filter(None, (why, decision.why)))
    lines = [
        ("agent", decision.asked or "(nothing)"),
        ("caller", case.last or "(silence)"),
        ("graph", decision.said or "(nothing)"),
        *([("", why)] if why else []),
    ]
    return ReadCase(f"{case.id} ({case.category}), label {case.label}", tuple(lines))


def _goodbyes(number: int) -> str:
    return f"{number} goodbye{'s' if number > 1 else ''}"


def _share(share: Share, sign: str = " %") -> str:
    """A share of a hundred, its interval, and what it is a share of."""
    if share.value is None or share.interval is None:
        return f"{_NOTHING} (0 of 0)"
    low, high = share.interval
    return (
        f"{100 * share.value:.1f}{sign} ({100 * low:.1f} to {100 * high:.1f}; "
        f"{share.hits} of {share.of})"
    )


def _lateness(late: Lateness) -> str:
    if not late.after and not late.never:
        return _NOTHING
    ended = ", ".join(f"{number} after {_goodbyes(turns)}" for turns, number in late.after.items())
    mean = f" (mean {late.mean:.1f} turns late)" if late.mean is not None else ""
    return f"{ended + mean or 'none'}; {late.never} never"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return _NOTHING
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"
