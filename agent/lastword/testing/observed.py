"""Observes what a graph does in a turn besides speaking: tool calls, state, and time taken."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langgraph.pregel.protocol import PregelProtocol

from lastword.testing.reply import ToolUse


class ToolWatch(BaseCallbackHandler):
    """Records the tools that a graph calls, in the order of their start."""

    run_inline = True

    def __init__(self) -> None:
        self._used: list[ToolUse] = []

    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,  # noqa: ARG002 - LangChain's
        *,
        run_id: UUID,  # noqa: ARG002
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Record a tool that starts."""
        args = {name: value for name, value in (inputs or {}).items() if _is_json(value)}
        self._used.append(ToolUse(str(serialized.get("name")), args))

    def take(self) -> list[ToolUse]:
        """Return the tools that the graph called since the last ``take``."""
        used, self._used = self._used, []
        return used


def _is_json(value: object) -> bool:
    """Whether the value may come from the model; LangGraph adds others, such as its runtime."""
    return isinstance(value, str | int | float | bool | list | dict | None)


async def state_at(
    graph: PregelProtocol[Any, Any, Any, Any], thread_id: str, checkpoint_id: str | None
) -> Mapping[str, Any] | None:
    """The graph's state at a checkpoint; None when ``checkpoint_id`` is None."""
    if checkpoint_id is None:
        return None
    place = {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": checkpoint_id}
    values = (await graph.aget_state({"configurable": place})).values
    return values if isinstance(values, Mapping) else {"value": values}


class Stopwatch:
    """Measures the time since its creation."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the creation of the stopwatch."""
        return time.perf_counter() - self._began
