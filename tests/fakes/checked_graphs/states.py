"""Graphs with states that a checkpointer keeps, or does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired

from langgraph.channels import UntrackedValue
from langgraph.graph import START, MessagesState, StateGraph
from typing_extensions import TypedDict

from tests.fakes.checked_graphs.models import Meant
from tests.fakes.checked_graphs.ways import goodbye


@dataclass
class Cart:
    """What the caller wants."""

    things: list[str]


class Line:
    """A thing that lives."""


class Customer(TypedDict):
    """Fine by itself."""

    name: str
    meant: Meant


class BadState(MessagesState):
    """Four channels that are not kept as they are."""

    cart: NotRequired[Cart | None]
    line: NotRequired[Line]
    calls_back: NotRequired[Callable[[], None]]
    customers: NotRequired[dict[str, list[Customer]]]
    open_line: NotRequired[Annotated[Line, UntrackedValue]]
    anything: NotRequired[Any]
    names: NotRequired[set[str]]


bad_builder: StateGraph[Any, Any, Any, Any] = StateGraph(BadState)
bad_builder.add_node("end", goodbye)
bad_builder.add_edge(START, "end")
bad = bad_builder.compile()
