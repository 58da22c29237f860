"""A graph whose findings are silenced by comments."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from langgraph.graph import START, MessagesState

from tests.fakes.checked_graphs.ways import Update, builder, goodbye, not_run


def traced(node: Callable[[Any], Update]) -> Any:
    @wraps(node)
    def around(state: Any) -> Update:
        return node(state)

    return around


@traced
def wrapped(state: MessagesState) -> Update:  # lastword: ignore[unreachable-node]
    not_run()
    return {}


by_comment_builder = builder()
by_comment_builder.add_node("forgotten", goodbye)  # lastword: ignore[unreachable-node, no-ending]
by_comment_builder.add_node("wrapped", wrapped)
by_comment_builder.add_node("end", goodbye)
by_comment_builder.add_edge(START, "end")
by_comment = by_comment_builder.compile()
