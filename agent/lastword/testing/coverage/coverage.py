"""How much of a graph was taken: percentages, and what is missing by its name (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType

from lastword.testing.coverage.mermaid import mermaid
from lastword.testing.coverage.shape import Edge, GraphShape
from lastword.testing.coverage.svg import svg
from lastword.testing.coverage.table import coverage_table, whole
from lastword.testing.coverage.taken import Taken


@dataclass(frozen=True)
class EndingCount:
    """A way to end the call: a declared reason, or what was seen; and how often."""

    name: str
    count: int
    declared: bool = True


@dataclass(frozen=True)
class Coverage:
    """What was taken of a graph, held against what there is to be taken.

    Percentages are 0 to 100, and 100 where there is nothing to be taken.
    """

    shape: GraphShape
    taken: Taken

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The edges that count: the declared ones, and those that were taken undeclared.

        The implied end of a node that went on elsewhere does not count.
        """
        declared = {edge.key for edge in self.shape.edges}
        extra = [key for key in self.taken.edges if key not in declared]
        elsewhere = {source for source, _ in extra}
        counted = [
            edge
            for edge in self.shape.edges
            if not edge.implied or edge.source not in elsewhere or self.taken.edges[edge.key]
        ]
        undeclared = (Edge(*key, conditional=True, declared=False) for key in sorted(extra))
        return (*counted, *undeclared)

    @property
    def endings(self) -> tuple[EndingCount, ...]:
        """Declared reasons with their counts, then what was seen beside them as "node: confirmed".

        Without declared reasons: all that was seen, and what is known to be possible and was not:
        the end node; the end token, unless the graph has the end node or ended in another way.
        """
        seen = sorted(self.taken.endings.items())
        declared = self.shape.endings
        if declared:
            counts = dict.fromkeys(declared, 0)
            for (_, reason), count in seen:
                if reason in counts:
                    counts[reason] += count
            expected = [EndingCount(name, count) for name, count in counts.items()]
            seen = [(ending, count) for ending, count in seen if ending[1] not in counts]
        else:
            expected = [EndingCount(way, 0) for way in self._ways_not_seen()]
        others = (
            EndingCount(f"{source}: {reason}", count, declared=not declared)
            for (source, reason), count in seen
        )
        return (*expected, *others)

    def _ways_not_seen(self) -> list[str]:
        sources = {source for source, _ in self.taken.endings}
        nodes = [way for way in self.shape.ways_to_end if way != "token"]
        if nodes:
            return [] if "node" in sources else nodes
        return [] if sources else [*self.shape.ways_to_end]

    @property
    def missing_nodes(self) -> list[str]:
        """Nodes that never ran."""
        return [node for node in self.shape.nodes if not self.taken.nodes[node]]

    @property
    def missing_edges(self) -> list[Edge]:
        """Edges that were never taken; ``str`` of one is "source -> target"."""
        return [edge for edge in self.edges if not self.taken.edges[edge.key]]

    @property
    def missing_endings(self) -> list[str]:
        """Declared reasons, or known ways to end, that were never seen."""
        return [ending.name for ending in self.endings if not ending.count]

    @property
    def undeclared_endings(self) -> list[str]:
        """Endings that were seen and are not among the declared ones, as "node: confirmed"."""
        return [ending.name for ending in self.endings if not ending.declared]

    @property
    def nodes_percent(self) -> float:
        """Nodes that ran."""
        return _percent(len(self.missing_nodes), len(self.shape.nodes))

    @property
    def edges_percent(self) -> float:
        """Edges that were taken."""
        return _percent(len(self.missing_edges), len(self.edges))

    @property
    def endings_percent(self) -> float:
        """Endings that were seen, of those that are declared or known."""
        declared = sum(ending.declared for ending in self.endings)
        return _percent(len(self.missing_endings), declared)

    def under(self, percent: float) -> list[str]:
        """A sentence when less than ``percent`` of the edges were taken; it names the others."""
        if self.edges_percent >= percent:
            return []
        missing = ", ".join(map(str, self.missing_edges))
        return [
            f"{self.shape.name}: {whole(self.edges_percent)} % of the edges were taken, "
            f"{percent:g} % are wanted; not taken: {missing}"
        ]

    def table(self) -> RenderableType:
        """The graph as one line of counts, and below it what is missing."""
        return coverage_table([self])

    def mermaid(self) -> str:
        """The graph as Mermaid text; see :func:`lastword.testing.coverage.mermaid.mermaid`."""
        return mermaid(self)

    def svg(self) -> str:
        """The graph as an SVG picture; see :func:`lastword.testing.coverage.svg.svg`."""
        return svg(self)

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON data: counts, percentages, and what is missing."""
        return {
            "graph": self.shape.name,
            "percent": {
                "nodes": self.nodes_percent,
                "edges": self.edges_percent,
                "endings": self.endings_percent,
            },
            "nodes": {node: self.taken.nodes[node] for node in self.shape.nodes},
            "edges": [
                {
                    "source": edge.source,
                    "target": edge.target,
                    "label": edge.label,
                    "conditional": edge.conditional,
                    "declared": edge.declared,
                    "count": self.taken.edges[edge.key],
                }
                for edge in self.edges
            ],
            "endings": [
                {"ending": each.name, "declared": each.declared, "count": each.count}
                for each in self.endings
            ],
        }


def _percent(missing: int, all_of_them: int) -> float:
    return 100.0 * (all_of_them - missing) / all_of_them if all_of_them else 100.0
