"""Run graphs and report the edges that they took."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableConfig

from lastword.signals import CallPolicy
from lastword.testing.coverage import EdgeTracer, GraphShape, Taken, shape_of
from tests.fakes.way_graphs import Graph

Ways = dict[str, int]


def start(way: str = "") -> dict[str, Any]:
    return {"trail": [], "way": way}


def shape(graph: Graph) -> GraphShape:
    return shape_of("small", graph, CallPolicy())


async def taken_by(graph: Graph, *inputs: Any, tracer: EdgeTracer | None = None) -> Taken:
    """Return the edges taken by runs on ``inputs``, in order in one thread."""
    tracer = tracer or EdgeTracer()
    config = RunnableConfig(callbacks=[tracer], configurable={"thread_id": "one"})
    for each in inputs:
        await graph.ainvoke(each, config)
    return tracer.taken(shape(graph))


def ways(taken: Taken) -> Ways:
    return {f"{source} -> {target}": count for (source, target), count in taken.edges.items()}
