"""The graph's nodes as spans in LiveKit's trace, inside the span of the LLM's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from livekit.agents.telemetry import tracer
from opentelemetry import trace


class NodeSpans:
    """Spans of one run, by task; a subgraph's nodes are inside the node that runs it."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[str, trace.Span]] = {}

    @property
    def running(self) -> list[str]:
        """Names of the nodes that have begun and not ended."""
        return [name for name, _ in self._open.values()]

    def follow(self, task: Mapping[str, Any], ns: Sequence[str]) -> None:
        """An item of LangGraph's ``tasks`` stream: a task begins or ends; ``ns`` is where."""
        if "input" in task:
            self._begin(task, ns)
        else:
            self._end(task)

    def _begin(self, task: Mapping[str, Any], ns: Sequence[str]) -> None:
        if not trace.get_current_span().is_recording():  # spared, as nobody keeps the trace
            self._open[task["id"]] = (task["name"], trace.INVALID_SPAN)
            return
        outer = self._open.get(ns[-1].partition(":")[2]) if ns else None
        span = tracer.start_span(
            "graph_node",
            context=trace.set_span_in_context(outer[1]) if outer else None,
            attributes={"lastword.node": task["name"], "lastword.task": task["id"]},
        )
        self._open[task["id"]] = (task["name"], span)

    def _end(self, task: Mapping[str, Any]) -> None:
        _, span = self._open.pop(task["id"], (None, None))
        if span is None:
            return
        if error := task.get("error"):
            span.set_status(trace.StatusCode.ERROR, str(error))
        span.end()

    def close(self) -> None:
        """The run is over: what has not ended was cut."""
        for _, span in self._open.values():
            span.set_attribute("lastword.cut", value=True)
            span.end()
        self._open.clear()
