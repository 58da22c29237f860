"""A graph whose state has types that a checkpointer can restore, and types that it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired

from langgraph.channels import UntrackedValue
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel
from typing_extensions import TypedDict

from tests.fakes.checked_graphs.ways import goodbye


class Meant(BaseModel):
    """What the caller means."""

    intent: str


@dataclass
class Cart:
    """What the caller wants."""

    things: list[str]

    @dataclass
    class Lid:
        """A class that is not at the top of its module."""

        is_open: bool


class Line:
    """A live object."""


class Customer(TypedDict):
    """Fine by itself."""

    name: str
    meant: Meant


class BadState(MessagesState):
    """A state with three channels that a checkpointer does not restore unchanged."""

    cart: NotRequired[Cart | None]
    lid: NotRequired[Cart.Lid | None]
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
