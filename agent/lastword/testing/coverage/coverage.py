"""Coverage of a graph by its runs: percentages, and the names of what is missing (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import Any

from lastword.testing.coverage.shape import Edge, GraphShape
from lastword.testing.coverage.taken import Taken


@dataclass(frozen=True)
class EndingCount:
    """How often calls ended with one ending; ``name`` is a declared reason or "source: reason"."""

    name: str
    count: int
    declared: bool = True


@dataclass(frozen=True)
class Coverage:
    """A graph's shape, and what its runs took of it.

    Percentages are from 0 to 100; 100 if the graph has nothing of that kind.
    """

    shape: GraphShape
    taken: Taken

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The edges that are counted: the declared ones, and undeclared ones that were taken.

        The implied edge to the end does not count for a node that took an undeclared edge.
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
        """Declared reasons with their counts, then other endings seen, as "node: confirmed".

        Without declared reasons: the endings seen, and with count 0 the endings that are known to
        be possible: the end node; or the end token, if the graph has no end node and no other
        ending was seen.
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
        """Edges that were never taken."""
        return [edge for edge in self.edges if not self.taken.edges[edge.key]]

    @property
    def missing_endings(self) -> list[str]:
        """Declared reasons, or known endings, that were never seen."""
        return [ending.name for ending in self.endings if not ending.count]

    @property
    def undeclared_endings(self) -> list[str]:
        """Endings that were seen but are not declared, as "node: confirmed"."""
        return [ending.name for ending in self.endings if not ending.declared]

    @property
    def nodes_percent(self) -> float:
        """Share of the nodes that ran."""
        return _percent(len(self.missing_nodes), len(self.shape.nodes))

    @property
    def edges_percent(self) -> float:
        """Share of the edges that were taken."""
        return _percent(len(self.missing_edges), len(self.edges))

    @property
    def endings_percent(self) -> float:
        """Share of the declared or known endings that were seen."""
        declared = sum(ending.declared for ending in self.endings)
        return _percent(len(self.missing_endings), declared)

    def under(self, percent: float) -> list[str]:
        """One sentence with the missing edges if less than ``percent`` was taken; else []."""
        if self.edges_percent >= percent:
            return []
        missing = ", ".join(map(str, self.missing_edges))
        return [
            f"{self.shape.name}: {rounded_down(self.edges_percent)} % of the edges were taken, "
            f"{percent:g} % are required; not taken: {missing}"
        ]

    def as_json(self) -> dict[str, Any]:
        """Counts and percentages as JSON data."""
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


def rounded_down(percent: float) -> int:
    """Whole percent, rounded down, so that only 100.0 becomes 100."""
    return floor(percent)


def _percent(missing: int, total: int) -> float:
    return 100.0 * (total - missing) / total if total else 100.0
