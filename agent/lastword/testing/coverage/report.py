"""The coverage report: a table in the terminal, a Markdown page and a JSON file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from langgraph.graph import START
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lastword.testing.coverage.coverage import Coverage, rounded_down
from lastword.testing.coverage.shape import Edge
from lastword.untrusted.printable import markdown, one_line

_KINDS = ("nodes", "edges", "endings")
_CLASSES = (
    "classDef taken fill:#eef6ee,stroke:#3b7a3b,color:#1c2b1c",
    "classDef untested fill:#fff1f0,stroke:#c62828,color:#8e1c1c,stroke-dasharray:5 4",
    "classDef mark fill:#eeeeee,stroke:#777777,color:#333333",
)
_UNTESTED_LINK = "stroke:#c62828,stroke-width:1.5px,stroke-dasharray:5 4"
_MERMAID_SYNTAX = re.compile(r"[\"#&<>`%{}\[\]|\\;'$*~^]")
_MERMAID_CODES = {'"': "#quot;", "&": "#amp;", "<": "#lt;", ">": "#gt;"}


def coverage_table(coverages: Sequence[Coverage]) -> RenderableType:
    """A row of counts for each graph, and below the table the names of what is missing."""
    table = Table(title="graph coverage", title_justify="left", box=None, pad_edge=False)
    table.add_column("graph")
    for kind in _KINDS:
        table.add_column(kind, justify="right")
    for each in coverages:
        table.add_row(Text(one_line(each.shape.name)), *_shares(each))
    lines = []
    for each in coverages:
        if missing := _missing(each):
            lines += ["", one_line(each.shape.name), *missing]
    return Group(table, *(Padding(Text(line.lstrip()), _indent(line)) for line in lines))


def write_reports(folder: Path, coverages: Sequence[Coverage]) -> None:
    """Write ``coverage.md`` and ``coverage.json``; files of these names are replaced.

    ``folder`` is created if it does not exist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = {"graphs": [each.as_json() for each in coverages]}
    (folder / "coverage.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    (folder / "coverage.md").write_text(_page(coverages), encoding="utf-8")


def mermaid(coverage: Coverage) -> str:
    """The graph as a Mermaid flowchart.

    Nodes, edges and endings that were taken are labelled with their counts; the others are dashed
    and red. The start of a subgraph is drawn as the node that contains it.
    """
    taken = coverage.taken
    ids = {node: f"n{at}" for at, node in enumerate(coverage.shape.nodes)}
    lines = []
    for node, id_ in ids.items():
        count, style = _counted(taken.nodes[node])
        lines.append(f'{id_}["{_label(node)}{count}"]:::{style}')
    for name in dict.fromkeys(_drawn_as(end) for edge in coverage.edges for end in edge.key):
        if name not in ids:
            ids[name] = f"n{len(ids)}"
            lines.append(f'{ids[name]}(["{_label(name)}"]):::mark')
    for edge in coverage.edges:
        words = [edge.label] if edge.label else []
        words += [f"{taken.edges[edge.key]}x"] if taken.edges[edge.key] else []
        label = f'|"{_label(" · ".join(words))}"|' if words else ""
        lines.append(f"{ids[_drawn_as(edge.source)]} -->{label} {ids[_drawn_as(edge.target)]}")
    lines += _endings(coverage)
    untested = [str(at) for at, edge in enumerate(coverage.edges) if not taken.edges[edge.key]]
    if untested:
        lines.append(f"linkStyle {','.join(untested)} {_UNTESTED_LINK}")
    return "\n    ".join(("flowchart LR", *lines, *_CLASSES)) + "\n"


def _page(coverages: Sequence[Coverage]) -> str:
    rows = [f"| {' | '.join((markdown(each.shape.name), *_shares(each)))} |" for each in coverages]
    head = [f"| graph | {' | '.join(_KINDS)} |", "| --- | ---: | ---: | ---: |"]
    parts = ["# Graph coverage", "\n".join([*head, *rows]), *map(_section, coverages)]
    return "\n\n".join(parts) + "\n"


def _section(coverage: Coverage) -> str:
    """A graph's section of the page. No line of ``_missing`` can close its code fence."""
    missing = _missing(coverage)
    text = "\n".join(("```text", *missing, "```")) if missing else "Everything was taken."
    drawing = f"```mermaid\n{mermaid(coverage)}```"
    return f"## {markdown(coverage.shape.name)}\n\n{drawing}\n\n{text}"


def _missing(coverage: Coverage) -> list[str]:
    """Indented, printable lines with the names of what is missing or undeclared."""
    lines = []
    if coverage.missing_nodes:
        lines.append(f"  nodes not run: {', '.join(coverage.missing_nodes)}")
    if coverage.missing_edges:
        lines.append("  edges not taken:")
        lines += [f"    {line}" for line in _in_short(coverage.missing_edges)]
    if coverage.missing_endings:
        lines.append(f"  endings not seen: {', '.join(coverage.missing_endings)}")
    if coverage.undeclared_endings:
        lines.append(f"  endings not declared: {', '.join(coverage.undeclared_endings)}")
    lines += [
        f"  the router of {node} declares no targets; only the edges that were taken are counted"
        for node in coverage.shape.undeclared
    ]
    return [one_line(line) for line in lines]


def _in_short(edges: Iterable[Edge]) -> list[str]:
    """Edges grouped by source, else by target: ``a -> b, c`` and ``d, e -> f``."""
    targets: dict[str, list[str]] = {}
    sources: dict[str, list[str]] = {}
    for edge in edges:
        targets.setdefault(edge.source, []).append(edge.target)
    for source, several in targets.items():
        if len(several) == 1:
            sources.setdefault(several[0], []).append(source)
    fans = [f"{source} -> {', '.join(to)}" for source, to in targets.items() if len(to) > 1]
    return [*fans, *(f"{', '.join(several)} -> {target}" for target, several in sources.items())]


def _indent(line: str) -> tuple[int, int, int, int]:
    """Padding that also indents the continuation of a wrapped line."""
    return 0, 0, 0, len(line) - len(line.lstrip())


def _shares(coverage: Coverage) -> tuple[str, ...]:
    """The share taken of each of ``_KINDS``: "17/19  89 %", or "-" if the graph has none."""
    declared = sum(ending.declared for ending in coverage.endings)
    return (
        _share(len(coverage.missing_nodes), len(coverage.shape.nodes)),
        _share(len(coverage.missing_edges), len(coverage.edges)),
        _share(len(coverage.missing_endings), declared),
    )


def _share(missing: int, total: int) -> str:
    if not total:
        return "-"
    taken = total - missing
    return f"{taken}/{total} {rounded_down(100 * taken / total):3} %"


def _endings(coverage: Coverage) -> list[str]:
    """The endings as a separate subgraph, because no edge leads to a reason."""
    if not coverage.endings:
        return []
    lines = ['subgraph endings["endings"]', "    direction LR"]
    for at, ending in enumerate(coverage.endings):
        count, style = _counted(ending.count)
        lines.append(f'    e{at}(["{_label(ending.name)}{count}"]):::{style}')
    return [*lines, "end"]


def _drawn_as(name: str) -> str:
    return name.removesuffix(f":{START}")


def _counted(count: int) -> tuple[str, str]:
    return (f"<br/>{count}x", "taken") if count else ("", "untested")


def _label(text: str) -> str:
    r"""Text for Mermaid's quotes, with Mermaid's character codes (``#quot;``).

    Inside quotes Mermaid still reads directives (``%%{init: ...}%%``), Markdown, formulas, ``\n``
    and HTML's numeric codes.
    """
    return _MERMAID_SYNTAX.sub(
        lambda found: _MERMAID_CODES.get(found[0], f"#{ord(found[0])};"), one_line(text)
    )
