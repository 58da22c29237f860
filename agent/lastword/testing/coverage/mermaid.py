"""A graph and what was taken of it as Mermaid text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from langgraph.graph import START

from lastword.untrusted.printable import one_line

if TYPE_CHECKING:
    from lastword.testing.coverage.coverage import Coverage

_CLASSES = (
    "classDef taken fill:#eef6ee,stroke:#3b7a3b,color:#1c2b1c",
    "classDef untested fill:#fff1f0,stroke:#c62828,color:#8e1c1c,stroke-dasharray:5 4",
    "classDef mark fill:#eeeeee,stroke:#777777,color:#333333",
)
_MARKS = re.compile(r"[\"#&<>`%{}\[\]|\\;'$*~^]")
_CODES = {'"': "#quot;", "&": "#amp;", "<": "#lt;", ">": "#gt;"}
_UNTESTED_LINK = "stroke:#c62828,stroke-width:1.5px,stroke-dasharray:5 4"


def mermaid(coverage: Coverage) -> str:
    """The graph as a Mermaid flowchart.

    What was not taken is dashed and red; nodes, edges and endings that were carry their counts.
    A subgraph's start is the node that holds it.
    """
    taken = coverage.taken
    numbers = {node: f"n{at}" for at, node in enumerate(coverage.shape.nodes)}
    lines = []
    for node, number in numbers.items():
        count, style = _counted(taken.nodes[node])
        lines.append(f'{number}["{_text(node)}{count}"]:::{style}')
    for name in dict.fromkeys(drawn_as(end) for edge in coverage.edges for end in edge.key):
        if name not in numbers:
            numbers[name] = f"n{len(numbers)}"
            lines.append(f'{numbers[name]}(["{_text(name)}"]):::mark')
    for edge in coverage.edges:
        words = [edge.label] if edge.label else []
        words += [f"{taken.edges[edge.key]}x"] if taken.edges[edge.key] else []
        label = f'|"{_text(" · ".join(words))}"|' if words else ""
        lines.append(
            f"{numbers[drawn_as(edge.source)]} -->{label} {numbers[drawn_as(edge.target)]}"
        )
    lines += _endings(coverage)
    untested = [str(at) for at, edge in enumerate(coverage.edges) if not taken.edges[edge.key]]
    if untested:
        lines.append(f"linkStyle {','.join(untested)} {_UNTESTED_LINK}")
    return "\n    ".join(("flowchart LR", *lines, *_CLASSES)) + "\n"


def _endings(coverage: Coverage) -> list[str]:
    """The endings as a box of their own: no edge leads to a reason."""
    if not coverage.endings:
        return []
    lines = ['subgraph endings["endings"]', "    direction LR"]
    for at, ending in enumerate(coverage.endings):
        count, style = _counted(ending.count)
        lines.append(f'    e{at}(["{_text(ending.name)}{count}"]):::{style}')
    return [*lines, "end"]


def drawn_as(name: str) -> str:
    """The start of a subgraph is drawn as the node that holds it."""
    return name.removesuffix(f":{START}")


def _counted(count: int) -> tuple[str, str]:
    return (f"<br/>{count}x", "taken") if count else ("", "untested")


def _text(text: str) -> str:
    r"""Text inside Mermaid's quotes, where a name is nothing but a name.

    Mermaid's own codes for characters (``#quot;``): it reads directives (``%%{init: ...}%%``),
    Markdown, formulas and ``\n`` in quotes too, and takes HTML's numeric codes for its own.
    """
    return _MARKS.sub(lambda found: _CODES.get(found[0], f"#{ord(found[0])};"), one_line(text))
