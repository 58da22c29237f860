"""Made-up coverages of small graphs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from langgraph.graph import START

from lastword.signals import CallPolicy
from lastword.testing.coverage import Coverage, Taken, shape_of
from tests.fakes import way_graphs
from tests.fakes.way_graphs import Graph

NODE = ("node", "done")
"""An ending in the form in which it is counted."""


def covered(
    graph: Graph,
    edges: dict[tuple[str, str], int] | None = None,
    *,
    nodes: dict[str, int] | None = None,
    seen: dict[tuple[str, str], int] | None = None,
    declared: tuple[str, ...] = (),
    policy: CallPolicy | None = None,
    name: str = "small",
) -> Coverage:
    shape = shape_of(name, graph, policy or CallPolicy(), declared)
    return Coverage(shape, Taken(Counter(nodes or {}), Counter(edges or {}), Counter(seen or {})))


def to_left(**others: Any) -> Coverage:
    """Return the coverage of half of the graph: the left path, taken twice."""
    edges = {(START, "left"): 2, ("left", "__end__"): 2}
    return covered(way_graphs.declared_router(), edges, nodes={"left": 2}, **others)
