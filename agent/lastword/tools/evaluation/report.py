"""The report of an evaluation, as Markdown (also shown in the terminal) and as JSON data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.markdown import Markdown

from lastword.terminal import SafeConsole
from lastword.tools.evaluation.figures import (
    Decision,
    Figures,
    Lateness,
    Share,
    Side,
    Verdict,
    difference,
    figures,
    grouped,
    tally,
)
from lastword.untrusted.printable import markdown

SHOWN_CASES = 6
"""Number of cases that the terminal shows of each list."""
_NOTHING = "-"
_LETTERS = ("A", "B")
_ENDED_WORDS = {"ended": "ended", "went_on": "went on", "early": "ended early", "failed": "failed"}
_VERDICT_WORDS = {
    "false": "false hang-ups",
    "early": "early hang-ups",
    "missed": "missed hang-ups",
    "failed": "failed cases",
}
_Lines = tuple[tuple[str, str], ...]
"""Pairs of speaker and words."""


def report(header: Iterable[str], sides: Sequence[Side], most_cases: int | None = None) -> str:
    """The report on one side or two, as Markdown.

    ``header`` are sentences; ``most_cases`` limits each list of cases, None shows all.
    """
    parts = ["# When does the graph hang up?", *map(markdown, header), _main_table(sides)]
    parts += _group_table("category", sides)
    if any(one.case.language for one in sides[0].decisions):
        parts += _group_table("language", sides)
    if len(sides) > 1:
        parts += _difference(sides, most_cases)
    for side in sides:
        parts += _wrong_cases(side, most_cases)
    return "\n\n".join(parts) + "\n"


def show(page: str, console: SafeConsole) -> None:
    """Print a report."""
    console.print(Markdown(page, hyperlinks=False))


def as_json(about: Mapping[str, Any], sides: Sequence[Side]) -> dict[str, Any]:
    """Figures and decisions as JSON data, after the keys of ``about``."""
    data: dict[str, Any] = {**about, "sides": [_side_as_json(side) for side in sides]}
    if len(sides) > 1:
        found = difference(sides[0].decisions, sides[1].decisions)
        data["difference"] = {
            "differing": [one.case.id for one, _ in found.differing],
            "only_first_right": found.only_first,
            "only_second_right": found.only_second,
            "left_out": found.left_out,
            "mcnemar_p": found.p,
        }
    return data


def _main_table(sides: Sequence[Side]) -> str:
    columns = [_main_column(figures(side.decisions)) for side in sides]
    names = [_side_name(side) for side in sides]
    if len(sides) > 1:
        names = [f"{letter}: {name}" for letter, name in zip(_LETTERS, names, strict=True)]
    rows = [(name, *(column[name] for column in columns)) for name in columns[0]]
    return _table(("", *names), rows, "---")


def _main_column(of: Figures) -> dict[str, str]:
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


def _group_table(by: str, sides: Sequence[Side]) -> list[str]:
    """A row for each category or language: number of cases, of right ones, of each mistake."""
    groups = [grouped(side.decisions, lambda one: _group(one, by)) for side in sides]
    kinds = _kinds_of_mistakes(sides)
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
    return [f"## by {by}", _table(head, rows, "---:")]


def _group(decision: Decision, by: str) -> str:
    case = decision.case
    return case.category if by == "category" else case.language or "(not given)"


def _kinds_of_mistakes(sides: Sequence[Side]) -> tuple[Verdict, ...]:
    """The kinds that get a column: ``early`` and ``failed`` only if they occurred."""
    found = {one.verdict for side in sides for one in side.decisions} | {"false", "missed"}
    order: tuple[Verdict, ...] = ("false", "missed", "early", "failed")
    return tuple(kind for kind in order if kind in found)


def _wide_cells(decisions: Sequence[Decision], kinds: Sequence[Verdict]) -> tuple[str, ...]:
    right = Share(tally(decisions, "right"), len(decisions))
    return str(right.hits), _interval(right), *(str(tally(decisions, kind)) for kind in kinds)


def _narrow_cells(decisions: Sequence[Decision], kinds: Sequence[Verdict]) -> tuple[str, ...]:
    """As ``_wide_cells``, narrow enough for two sides in one table."""
    right, interval, *wrong = _wide_cells(decisions, kinds)
    return f"{right} ({interval})", ", ".join(wrong)


def _difference(sides: Sequence[Side], most: int | None) -> list[str]:
    first, second = sides
    found = difference(first.decisions, second.decisions)
    left_out = f", {found.left_out} left out because a side failed" if found.left_out else ""
    sentence = (
        f"Only A is right in {found.only_first} cases, only B in {found.only_second}{left_out}; "
        f"McNemar's exact test, two-sided: p = {found.p:.3g}."
    )
    cases = [_differing_case(a, b) for a, b in found.differing]
    return [sentence, *_cases("cases on which A and B differ", cases, most)]


def _differing_case(a: Decision, b: Decision) -> tuple[str, _Lines]:
    asked = [("agent", a.asked)]
    if a.asked != b.asked:
        asked = [("agent A", a.asked), ("agent B", b.asked)]
    lines = (
        *asked,
        ("caller", a.case.last or "(silence)"),
        (f"A {_ENDED_WORDS[a.outcome]}", a.said),
        (f"B {_ENDED_WORDS[b.outcome]}", b.said),
    )
    return f"{a.case.id}, label {a.case.label}", lines


def _wrong_cases(side: Side, most: int | None) -> list[str]:
    """A list of cases for each kind of mistake."""
    parts = []
    for verdict, words in _VERDICT_WORDS.items():
        wrong = [_wrong_case(one) for one in side.decisions if one.verdict == verdict]
        if wrong:
            parts += _cases(f"{words} of {_side_name(side)}", wrong, most)
    return parts or [markdown(f"No wrong case of {_side_name(side)}.")]


def _wrong_case(decision: Decision) -> tuple[str, _Lines]:
    case = decision.case
    why = f"reason: {decision.reason}" if decision.reason else ""
    if decision.verdict == "missed":
        why = "never ended" if decision.late is None else f"ended {_goodbyes(decision.late)} later"
    why = "; ".join(filter(None, (why, decision.why)))
    lines = (
        ("agent", decision.asked),
        ("caller", case.last or "(silence)"),
        ("graph", decision.said),
        *([("", why)] if why else []),
    )
    return f"{case.id} ({case.category}), label {case.label}", lines


def _side_name(side: Side) -> str:
    return f"{side.graph} ({side.model})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> str:
    """A Markdown table; ``align`` is the delimiter of all columns but the first."""
    delimiters = ("---", *[align] * (len(head) - 1))
    cells = [map(markdown, head), delimiters, *(map(markdown, row) for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _cases(title: str, cases: Sequence[tuple[str, _Lines]], most: int | None) -> list[str]:
    parts = [f"## {markdown(title)}: {len(cases) or 'none'}"]
    for name, lines in cases[:most]:
        said = [f"- {who and who + ': '}{markdown(words or '(nothing)')}" for who, words in lines]
        parts.append("\n".join((f"**{markdown(name)}**", "", *said)))
    if most is not None and len(cases) > most:
        more = len(cases) - most
        parts.append(f"... and {more} more: --out FILE or --json FILE writes all of them")
    return parts


def _interval(share: Share) -> str:
    low, high = share.interval or (0.0, 1.0)
    return f"{100 * low:.0f}-{100 * high:.0f}"


def _goodbyes(number: int) -> str:
    return f"{number} goodbye{'s' if number > 1 else ''}"


def _share(share: Share, sign: str = " %") -> str:
    """The share times 100, its interval, hits and total."""
    if share.value is None or share.interval is None:
        return f"{_NOTHING} (0 of 0)"
    low, high = share.interval
    return (
        f"{100 * share.value:.1f}{sign} ({100 * low:.1f} to {100 * high:.1f}; "
        f"{share.hits} of {share.total})"
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


def _side_as_json(side: Side) -> dict[str, Any]:
    return {
        "graph": side.graph,
        "model": side.model,
        "figures": _figures_as_json(figures(side.decisions)),
        "cases": [_decision_as_json(one) for one in side.decisions],
    }


def _figures_as_json(of: Figures) -> dict[str, Any]:
    shares = {name: value for name, value in vars(of).items() if isinstance(value, Share)}
    return {
        **{
            name: {**asdict(share), "value": share.value, "interval": share.interval}
            for name, share in shares.items()
        },
        "early": of.early,
        "failed": of.failed,
        "late": {**asdict(of.late), "mean": of.late.mean},
        "median_seconds": of.seconds,
    }


def _decision_as_json(decision: Decision) -> dict[str, Any]:
    case = decision.case
    return {
        "id": case.id,
        "category": case.category,
        "language": case.language,
        "label": case.label,
        "verdict": decision.verdict,
        "outcome": decision.outcome,
        "asked": decision.asked,
        "caller": case.last,
        "said": decision.said,
        "reason": decision.reason,
        "seconds": round(decision.seconds, 4),
        "late": decision.late,
        "why": decision.why,
    }
