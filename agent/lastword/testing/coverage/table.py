"""Coverage as lines in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import floor
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lastword.testing.coverage.shape import Edge
from lastword.untrusted.printable import one_line

if TYPE_CHECKING:
    from lastword.testing.coverage.coverage import Coverage


def coverage_table(coverages: Sequence[Coverage]) -> RenderableType:
    """One line of counts for each graph, and below them what is missing, by its name."""
    table = Table(title="graph coverage", title_justify="left", box=None, pad_edge=False)
    table.add_column("graph")
    for heading in ("nodes", "edges", "endings"):
        table.add_column(heading, justify="right")
    for each in coverages:
        table.add_row(Text(one_line(each.shape.name)), *shares(each).values())
    lines = [line for each in coverages for line in remarks_on(each)]
    return Group(table, *(Padding(Text(line.lstrip()), _indent(line)) for line in lines))


def remarks_on(coverage: Coverage) -> list[str]:
    """What is missing, a line for each kind and for each node that edges are missing from.

    Each is printable.
    """
    name, lines = coverage.shape.name, []
    if coverage.missing_nodes:
        lines.append(f"  nodes not run: {', '.join(coverage.missing_nodes)}")
    if coverage.missing_edges:
        lines.append("  edges not taken:")
        lines += [f"    {line}" for line in in_short(coverage.missing_edges)]
    if coverage.missing_endings:
        lines.append(f"  endings not seen: {', '.join(coverage.missing_endings)}")
    if coverage.undeclared_endings:
        lines.append(f"  endings not declared: {', '.join(coverage.undeclared_endings)}")
    lines += [
        f"  the router of {node} declares no targets; only those that were taken are counted"
        for node in coverage.shape.undeclared
    ]
    return ["", *map(one_line, (name, *lines))] if lines else []


def _indent(line: str) -> tuple[int, int, int, int]:
    """Lines that are too long for the terminal go on under their beginning."""
    return 0, 0, 0, len(line) - len(line.lstrip())


def in_short(edges: Iterable[Edge]) -> list[str]:
    """Edges by their source, else by their target: ``a -> b, c`` and ``d, e -> f``."""
    targets: dict[str, list[str]] = {}
    sources: dict[str, list[str]] = {}
    for edge in edges:
        targets.setdefault(edge.source, []).append(edge.target)
    for source, several in targets.items():
        if len(several) == 1:
            sources.setdefault(several[0], []).append(source)
    fans = [f"{source} -> {', '.join(to)}" for source, to in targets.items() if len(to) > 1]
    return [*fans, *(f"{', '.join(several)} -> {target}" for target, several in sources.items())]


def whole(percent: float) -> int:
    """Rounded down, so that 100 means all."""
    return floor(percent)


def shares(coverage: Coverage) -> dict[str, str]:
    """What was taken of what there is: "nodes" → "17/19  89 %"; "-" where there is nothing."""
    declared = sum(ending.declared for ending in coverage.endings)
    return {
        "nodes": _share(len(coverage.missing_nodes), len(coverage.shape.nodes)),
        "edges": _share(len(coverage.missing_edges), len(coverage.edges)),
        "endings": _share(len(coverage.missing_endings), declared),
    }


def _share(missing: int, all_of_them: int) -> str:
    if not all_of_them:
        return "-"
    taken = all_of_them - missing
    return f"{taken}/{all_of_them} {whole(100 * taken / all_of_them):3} %"
