"""A graph and what was taken of it as an SVG picture."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from langgraph.graph import END, START

from lastword.testing.coverage.layout import Layout, Point, layout
from lastword.testing.coverage.mermaid import drawn_as
from lastword.testing.coverage.shape import Edge
from lastword.testing.coverage.table import shares
from lastword.untrusted.printable import one_line

if TYPE_CHECKING:
    from lastword.testing.coverage.coverage import Coverage

_CHARACTER = 7.3
"""Width of a letter of the picture's font, in pixels."""
_BOX = 40.0
_MARGIN = 24.0
_TITLE = 62.0
_PILL = 26.0
_LEAST_WIDTH = 640.0
_BACK = 13.0
"""So far above the middle of a node the ways back leave and arrive."""
_STOP = 34.0
"""From a node to the dot that stands for the end of the graph behind it."""
_STYLE = """
text { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #222; }
.title { font-size: 15px; font-weight: bold; }
.small { font-size: 11px; fill: #555; }
.node { fill: #eef6ee; stroke: #3b7a3b; stroke-width: 1.3; }
.edge { fill: none; stroke: #5a6b5a; stroke-width: 1.4; marker-end: url(#tip); }
.stop { fill: #fff; stroke: #5a6b5a; stroke-width: 1.4; }
.start { fill: #444; }
.untested { stroke: #c62828; stroke-dasharray: 5 4; }
.node.untested { fill: #fff1f0; }
.edge.untested { marker-end: url(#redtip); }
.edge.undeclared { stroke: #b26a00; marker-end: url(#ambertip); }
.count { font-size: 11px; fill: #333; stroke: #fff; stroke-width: 4px; paint-order: stroke; }
"""
_TIPS = (("tip", "#5a6b5a"), ("redtip", "#c62828"), ("ambertip", "#b26a00"))


def svg(coverage: Coverage) -> str:
    """The graph as one SVG document, from left to right, on a white ground.

    What was not taken is dashed and red, what was carries its count. A dot behind a node is the
    end of the graph. The endings of the call are below.
    """
    picture = _Picture(coverage)
    endings, bottom = _endings(coverage, picture.width, picture.bottom)
    legend, bottom = _legend(bottom)
    width, height = round(picture.width), round(bottom)
    body = "\n".join((*_head(coverage), *picture.lines(), *endings, *legend))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" '
        f"aria-label={quoteattr(one_line(f'coverage of the graph {coverage.shape.name}'))}>\n"
        f"<style>{_STYLE}</style>\n<defs>{''.join(map(_tip, *zip(*_TIPS, strict=True)))}</defs>\n"
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


class _Picture:
    """The nodes and edges, with their places."""

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage
        self._taken = coverage.taken
        names = [START, *coverage.shape.nodes]
        self._sizes = {name: _size(name) for name in names}
        self._edges = [edge for edge in coverage.edges if not _stops(edge)]
        links = dict.fromkeys(_link(edge) for edge in self._edges)
        self._layout: Layout = layout(self._sizes, [link for link in links if link[0] != link[1]])
        self.width = max(self._layout.width + 2 * _MARGIN + _STOP, _LEAST_WIDTH)
        self.bottom = self._layout.height + _TITLE + _MARGIN
        self._out = Counter(_link(edge)[0] for edge in self._edges)
        self._in = Counter(_link(edge)[1] for edge in self._edges)

    def lines(self) -> list[str]:
        """Edges first, so that nodes cover them; the numbers on the edges last."""
        drawn = [self._edge(edge) for edge in self._coverage.edges]
        nodes = [line for name in self._sizes for line in self._node(name)]
        return [*(edge for edge, _ in drawn), *nodes, *(label for _, label in drawn if label)]

    def _at(self, name: str) -> Point:
        x, y = self._layout.places[name]
        return x + _MARGIN, y + _TITLE

    def _node(self, name: str) -> list[str]:
        x, y = self._at(name)
        width, height = self._sizes[name]
        if name == START:
            return [f'<circle class="start" cx="{x:.0f}" cy="{y:.0f}" r="8"/>']
        count = self._taken.nodes[name]
        style = "node" if count else "node untested"
        return [
            f'<rect class="{style}" x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" '
            f'width="{width:.1f}" height="{height:.1f}" rx="6"/>',
            _text(x, y - 2, name, anchor="middle"),
            _text(x, y + 13, f"{count}x" if count else "not run", "small", anchor="middle"),
        ]

    def _edge(self, edge: Edge) -> tuple[str, str]:
        """The line of an edge, and the words on it."""
        count = self._taken.edges[edge.key]
        style = "edge" if count else "edge untested"
        if not edge.declared:
            style += " undeclared"
        name = f"<title>{escape(one_line(edge))}: {count or 'not taken'}</title>"
        if _stops(edge):
            return self._stop(edge, style, name), ""
        path, near_source, near_target = self._path(edge)
        words = " ".join(filter(None, (edge.label, f"{count}x" if count else "")))
        fans_out = self._out[_link(edge)[0]] >= self._in[_link(edge)[1]]
        x, y = near_target if fans_out else near_source
        label = _text(x, y + 4, words, "count", anchor="middle") if words else ""
        return f'<path class="{style}" d="{path}">{name}</path>', label

    def _stop(self, edge: Edge, style: str, name: str) -> str:
        x, y = self._at(drawn_as(edge.source))
        right = x + self._sizes[drawn_as(edge.source)][0] / 2
        dot = "stop" if self._taken.edges[edge.key] else "stop untested"
        y += _BOX / 2 - 7
        return (
            f'<path class="{style}" d="M{right:.1f} {y:.1f} h{_STOP - 12:.1f}">{name}</path>'
            f'<circle class="{dot}" cx="{right + _STOP - 7:.1f}" cy="{y:.1f}" r="4.5"/>'
        )

    def _path(self, edge: Edge) -> tuple[str, Point, Point]:
        """The path, and two points on it for words: near its source and near its target."""
        link = _link(edge)
        (x1, y1), (x2, y2) = self._at(link[0]), self._at(link[1])
        half1, half2 = self._sizes[link[0]][0] / 2, self._sizes[link[1]][0] / 2
        if link[0] == link[1]:
            return _loop(x1 + half1, y1)
        bends = [(x + _MARGIN, y + _TITLE) for x, y in self._layout.bends.get(link, ())]
        if link in self._layout.back:
            start, stop = (x1 - half1, y1 - _BACK), (x2 + half2 + 1, y2 - _BACK)
            points = [start, *reversed(bends), stop]
        else:
            points = [(x1 + half1, y1), *bends, (x2 - half2 - 1, y2)]
        path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
        for (left, up), (right, down) in pairwise(points):
            middle = (left + right) / 2
            path += f" C{middle:.1f} {up:.1f} {middle:.1f} {down:.1f} {right:.1f} {down:.1f}"
        return path, _on_curve(points[0], points[1], 0.3), _on_curve(points[-2], points[-1], 0.7)


def _loop(right: float, y: float) -> tuple[str, Point, Point]:
    """A way from a node to itself, over its upper right corner."""
    top = y - _BOX / 2
    path = f"M{right:.1f} {y - 6:.1f} c30 0 6 -42 -14 -{_BOX / 2 - 7:.1f}"
    return path, (right + 20, top - 4), (right + 20, top - 4)


def _on_curve(start: Point, stop: Point, t: float) -> Point:
    """A point on the curve that leaves and arrives level."""
    (x1, y1), (x2, y2) = start, stop
    middle = (x1 + x2) / 2
    a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
    return a * x1 + (b + c) * middle + d * x2, (a + b) * y1 + (c + d) * y2


def _head(coverage: Coverage) -> list[str]:
    counts = ", ".join(f"{what} {' '.join(how.split())}" for what, how in shares(coverage).items())
    return [
        _text(_MARGIN, 24, coverage.shape.name, "title"),
        _text(_MARGIN, 42, counts, "small"),
    ]


def _endings(coverage: Coverage, width: float, top: float) -> tuple[list[str], float]:
    if not coverage.endings:
        return [], top
    lines = [_text(_MARGIN, top + 17, "endings")]
    x, y = _MARGIN + 70, top
    for ending in coverage.endings:
        words = one_line(f"{ending.name} {ending.count}x" if ending.count else ending.name)
        wide = len(words) * _CHARACTER + 22
        if x + wide > width - _MARGIN:
            x, y = _MARGIN + 70, y + _PILL + 8
        style = "node" if ending.count else "node untested"
        lines += [
            f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" '
            f'height="{_PILL:.0f}" rx="13"/>',
            _text(x + wide / 2, y + 17, words, anchor="middle"),
        ]
        x += wide + 10
    return lines, y + _PILL + 14


def _legend(top: float) -> tuple[list[str], float]:
    lines, x = [], _MARGIN
    for style, words in (
        ("edge", "taken, how often"),
        ("edge untested", "not taken"),
        ("edge undeclared", "taken, not declared"),
    ):
        lines.append(f'<path class="{style}" d="M{x:.0f} {top + 12:.0f} h34"/>')
        lines.append(_text(x + 42, top + 16, words, "small"))
        x += 42 + len(words) * _CHARACTER + 20
    lines.append(f'<circle class="stop" cx="{x:.0f}" cy="{top + 12:.0f}" r="4.5"/>')
    lines.append(_text(x + 10, top + 16, "the graph stops", "small"))
    return lines, top + 32


def _text(x: float, y: float, words: str, style: str = "", *, anchor: str = "start") -> str:
    named = f' class="{style}"' if style else ""
    words = escape(one_line(words))
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'


def _tip(name: str, colour: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="{colour}"/></marker>'
    )


def _size(name: str) -> tuple[float, float]:
    return (16.0, 16.0) if name == START else (len(one_line(name)) * _CHARACTER + 24, _BOX)


def _stops(edge: Edge) -> bool:
    return edge.target.rpartition(":")[2] == END


def _link(edge: Edge) -> tuple[str, str]:
    return drawn_as(edge.source), drawn_as(edge.target)
