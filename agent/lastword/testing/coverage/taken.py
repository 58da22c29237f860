"""What was taken of a graph: how often each node, edge and ending."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Taken:
    """How often each node, edge (source, target) and ending (source, reason) was taken."""

    nodes: Counter[str] = field(default_factory=Counter)
    edges: Counter[tuple[str, str]] = field(default_factory=Counter)
    endings: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add_ending(self, source: str, reason: str) -> None:
        """The graph ended the call: by ``node``, ``token``, ``event`` or ``tool``, and why."""
        self.endings[source, reason] += 1

    def merge(self, other: Taken) -> None:
        """Add what was taken elsewhere: in another call, another process."""
        self.nodes += other.nodes
        self.edges += other.edges
        self.endings += other.endings

    def to_json(self) -> str:
        """As JSON text, which another process can read."""
        return json.dumps(
            {
                "nodes": dict(sorted(self.nodes.items())),
                "edges": [[*edge, count] for edge, count in sorted(self.edges.items())],
                "endings": [[*ending, count] for ending, count in sorted(self.endings.items())],
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Taken:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            match json.loads(text):
                case {"nodes": dict(nodes), "edges": list(edges), "endings": list(endings)}:
                    return cls(Counter(nodes), _pairs(edges), _pairs(endings))
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"not what a graph has taken: {error}") from error
        raise ValueError("not what a graph has taken: it needs nodes, edges and endings")


def _pairs(rows: list[tuple[str, str, int]]) -> Counter[tuple[str, str]]:
    return Counter({(first, second): count for first, second, count in rows})
