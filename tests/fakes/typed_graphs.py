"""Graphs whose state holds objects and whose answer names the objects' types.

``python -m tests.fakes.typed_graphs NAME URL`` calls one of them for one turn.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    TypeVar,
)
from uuid import UUID

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph, add_messages
from langgraph.prebuilt import ToolNode
from langgraph.pregel import Pregel
from langgraph.types import Command, Send, interrupt
from pydantic import BaseModel, SecretStr
from typing_extensions import TypeAliasType, TypedDict

from lastword.memory.graph_memory import open_memory, prepare_memory
from lastword.memory.memory_url import read_memory_url
from lastword.signals import CallPolicy, say
from tests.fakes.phone import phone_call

if TYPE_CHECKING:
    from livekit.agents import AgentSession

Graph = Pregel[Any, Any, Any, Any]
T = TypeVar("T")


class Mood(Enum):
    """An enum."""

    CALM = "calm"
    CROSS = "cross"


class Size(IntEnum):
    """An enum of numbers."""

    SMALL = 1


class Colour(StrEnum):
    """An enum of strings."""

    RED = "red"


class Wish(Flag):
    """A flag."""

    QUIET = 1
    WARM = 2


class Item(BaseModel):
    """A model inside a model."""

    name: str
    colour: Colour = Colour.RED


class Cart(BaseModel):
    """A model with an enum."""

    items: list[Item]
    mood: Mood = Mood.CALM


@dataclasses.dataclass
class Address:
    """A dataclass inside a dataclass."""

    street: str


@dataclasses.dataclass
class Order:
    """A dataclass with a type hint that cannot be resolved at run time."""

    to: Address
    cart: Cart
    at: datetime
    session: AgentSession[None] | None = None
    """The type is imported only for type checkers."""


@dataclasses.dataclass
class Box(Generic[T]):
    """A generic dataclass."""

    content: T


@dataclasses.dataclass
class Shape:
    """A class that the state's type hints name."""

    name: str


@dataclasses.dataclass
class Circle(Shape):
    """A subclass that the state's type hints do not name."""

    radius: int


class Point(NamedTuple):
    """A named tuple."""

    x: int
    size: Size


@dataclasses.dataclass
class Change:
    """The input of a reducer, which the state's type hints do not name."""

    by: int


class Customer(TypedDict):
    """A typed dictionary with an object."""

    name: str
    address: NotRequired[Address]


class VoiceMessage(HumanMessage):
    """A message type of the project."""

    loudness: int = 0


Street = NewType("Street", Address)
Moods = TypeAliasType("Moods", "list[Mood]")


def changed(total: list[object] | None, change: Change) -> list[object]:
    return [*(total or []), change]


class Typed(MessagesState):
    """A state of objects."""

    cart: NotRequired[Cart | None]
    carts: NotRequired[list[Cart]]
    order: NotRequired[Order]
    orders: NotRequired[Mapping[str, Sequence[Order]]]
    pair: NotRequired[tuple[Mood, Size]]
    wish: NotRequired[Wish]
    only: NotRequired[Literal[Mood.CROSS]]
    box: NotRequired[Box[Address]]
    shape: NotRequired[Shape]
    point: NotRequired[Point]
    customer: NotRequired[Customer]
    street: NotRequired[Street]
    moods: NotRequired[Moods]
    token: NotRequired[SecretStr]
    changes: NotRequired[Annotated[list[object], changed]]
    plain: NotRequired[list[Any]]
    letters: NotRequired[Annotated[list[Any], add_messages]]


CART = Cart(items=[Item(name="tea")])
ORDER = Order(Address("High Street"), CART, datetime(2026, 11, 21, tzinfo=UTC))
PLAIN: list[Any] = [
    *(date(2026, 11, 21), time(12), timedelta(1), UUID(int=1), Decimal("1.5"), {1, 2}, b"x"),
    frozenset({1}),
]
VALUES: dict[str, Any] = {
    "cart": CART,
    "carts": [CART],
    "order": ORDER,
    "orders": {"first": [ORDER]},
    "pair": (Mood.CROSS, Size.SMALL),
    "wish": Wish.WARM,
    "only": Mood.CROSS,
    "box": Box(Address("Low Street")),
    "shape": Circle("round", 3),
    "point": Point(1, Size.SMALL),
    "customer": {"name": "Anna", "address": Address("Low Street")},
    "street": Address("Low Street"),
    "address": Address("Low Street"),
    "moods": [Mood.CALM],
    "token": SecretStr("t"),
    "changes": Change(1),
    "plain": PLAIN,
    "letters": [
        AIMessage("", tool_calls=[{"name": "book", "args": {"at": "9"}, "id": "1"}]),
        VoiceMessage(content="hello", loudness=3),
    ],
}


def kinds(value: Any) -> str:
    """Return the types in a value; types that msgpack and the state do not keep are equal."""
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return f"({', '.join(map(kinds, value))})"
    if isinstance(value, dict):
        return f"dict({', '.join(f'{name}={kinds(one)}' for name, one in value.items())})"
    fields: Mapping[str, Any] = {}
    if isinstance(value, BaseModel) and not hasattr(value, "lc_id"):
        fields = dict(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = vars(value)
    elif hasattr(value, "_asdict"):
        fields = value._asdict()
    inner = ", ".join(f"{name}={kinds(one)}" for name, one in fields.items())
    return f"{type(value).__name__}({inner})" if inner else type(value).__name__


def told(values: Mapping[str, Any]) -> AIMessage:
    """Return the message in which a graph names the types in its state."""
    known = {name: values[name] for name in VALUES if values.get(name)}
    return AIMessage(f"I know: {kinds(known)}")


def _filled(schema: Any) -> StateGraph[Any, Any, Any, Any]:
    """Return a graph that fills its state in the first turn and describes it in every turn."""
    names = [name for name in VALUES if name in schema.__annotations__]

    async def fill(state: Any) -> dict[str, Any]:
        values = state if isinstance(state, dict) else dict(vars(state))
        has = {name: values.get(name) for name in names}
        if any(has.values()):
            return {"messages": [told(has)]}
        filled = {name: VALUES[name] for name in names}
        changes = {"changes": [VALUES["changes"]]} if "changes" in names else {}
        return {"messages": [told(filled | changes)], **filled}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(schema)
    builder.add_node("fill", fill)
    builder.add_edge(START, "fill")
    return builder


def _copied() -> Graph:
    return _filled(Typed).compile().with_config({"recursion_limit": 20})


class ModelState(BaseModel):
    """A state that is a model."""

    messages: Annotated[list[Any], add_messages]
    cart: Cart | None = None
    address: Address | None = None
    moods: Moods | None = None


@dataclasses.dataclass
class DataclassState:
    """A state that is a dataclass."""

    messages: Annotated[list[Any], add_messages]
    cart: Cart | None = None
    order: Order | None = None
    shape: Shape | None = None


def _inside() -> Graph:
    """Return a graph whose objects are only in the state of a subgraph that a node calls."""
    inner = _filled(Typed).compile(checkpointer=True)

    async def talk(state: MessagesState) -> dict[str, Any]:
        values = await inner.ainvoke({"messages": state["messages"]})
        return {"messages": [values["messages"][-1]]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("talk", talk)
    builder.add_edge(START, "talk")
    return builder.compile()


def _as_node() -> Graph:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("inner", _filled(Typed).compile(checkpointer=True))
    builder.add_edge(START, "inner")
    return builder.compile()


@task
async def ordered(street: str) -> Order:
    return dataclasses.replace(ORDER, to=Address(street))


def _functional() -> Graph:
    @entrypoint()
    async def talk(said: Any, *, previous: Order | None = None) -> entrypoint.final[Any, Order]:
        order = previous or await ordered("High Street")
        say(told({"order": order}).text)
        return entrypoint.final(value=None, save=order)

    return talk


def _task_and_question() -> Graph:
    """Return a graph that reads a task's result back when it resumes after an interrupt."""

    @entrypoint()
    async def talk(said: Any) -> Any:
        order = await ordered("High Street")
        interrupt(told({"order": order}).text)
        say(told({"order": order}).text)

    return talk


def _sent() -> Graph:
    """Return a graph that reads a ``Send`` input back when its node resumes after an interrupt."""

    async def ask(order: Order) -> dict[str, Any]:
        interrupt(told({"order": order}).text)
        return {"messages": [told({"order": order})]}

    node: Any = ask  # for mypy: LangGraph's types do not accept a dataclass as a node's input

    async def send(state: MessagesState) -> Command[Literal["ask"]]:
        return Command(goto=[Send("ask", ORDER)])

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("send", send)
    builder.add_node("ask", node)
    builder.add_edge(START, "send")
    return builder.compile()


def _asked_within_a_tool() -> Graph:
    """Return a graph whose objects are in an agent that a tool calls and that interrupts."""
    inner_builder: StateGraph[Any, Any, Any, Any] = StateGraph(Typed)

    async def fill(state: Typed) -> dict[str, Any]:
        return {"order": ORDER}

    async def ask(state: Typed) -> dict[str, Any]:
        interrupt(told(state).text)
        return {"messages": [told(state)]}

    inner_builder.add_sequence([fill, ask])
    inner_builder.add_edge(START, "fill")
    inner = inner_builder.compile().with_config({"recursion_limit": 20})

    async def look_up(what: str) -> str:
        """Look something up."""
        values = await inner.ainvoke({"messages": [HumanMessage(what)]})
        return str(values["messages"][-1].text)

    async def call(state: MessagesState) -> dict[str, Any]:
        calls = [{"name": "look_up", "args": {"what": "tea"}, "id": "1"}]
        return {"messages": [AIMessage("", tool_calls=calls)]}

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(state["messages"][-1].text)]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("call", call)
    builder.add_node("tools", ToolNode([look_up]))
    builder.add_node("answer", answer)
    for edge in ((START, "call"), ("call", "tools"), ("tools", "answer")):
        builder.add_edge(*edge)
    return builder.compile()


GRAPHS: Mapping[str, Callable[[], Graph]] = {
    "typed dictionary": lambda: _filled(Typed).compile(),
    "copied": _copied,
    "model": lambda: _filled(ModelState).compile(),
    "dataclass": lambda: _filled(DataclassState).compile(),
    "called subgraph": _inside,
    "subgraph as node": _as_node,
    "functional": _functional,
    "task and question": _task_and_question,
    "sent to a node": _sent,
    "asked within a tool": _asked_within_a_tool,
}


class Open(MessagesState):
    """A state that does not say what it holds."""

    what: Any


def open_graph() -> Graph:
    """Return a graph with an object that its state's type hints do not name."""

    async def talk(state: Open) -> dict[str, Any]:
        had = state.get("what")
        return {"messages": [AIMessage(f"I know: {kinds(had)}")], "what": had or ORDER}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Open)
    builder.add_node("talk", talk)
    builder.add_edge(START, "talk")
    return builder.compile()


async def call(graph: Graph, url: str | None, turns: int = 1, **policy: Any) -> list[str]:
    """Run a call with the memory at ``url`` or of this process; return the agent's words."""
    how = CallPolicy(first_speaker="caller", tail=0, **policy)
    async with AsyncExitStack() as until:
        memory = None
        if url is not None:
            await prepare_memory(read_memory_url(url))
            memory = await until.enter_async_context(open_memory(read_memory_url(url)))
        phone = await until.enter_async_context(phone_call(graph, how, memory=memory))
        for _ in range(turns):
            await phone.say("hello")
        return phone.spoken()


if __name__ == "__main__":
    _, name, at = sys.argv
    print(json.dumps(asyncio.run(call(GRAPHS[name](), at))))  # noqa: T201 - its answer
