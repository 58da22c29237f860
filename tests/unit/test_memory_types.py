"""Which types a graph's memory may bring back: those that its state names, found by their names."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langgraph._internal._serde import build_serde_allowlist
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph

from lastword.errors import ForeignCheckpoint
from lastword.memory.memory_types import WRITTEN, StateSerializer, state_types
from lastword.signals import CallPolicy
from tests.fakes.typed_graphs import GRAPHS, Mood, Order


@dataclass
class Booking:
    """Has a class inside, whose name leads to a function of this module."""

    class helper(Enum):  # noqa: N801 - the name of the function below
        """Would let a checkpoint call that function."""

        ONE = 1

    what: Booking.helper


def helper(command: str) -> None:
    """What a checkpoint must not call."""


@dataclass
class Odd:
    """Names types that are no state of a graph, and one that cannot be read."""

    model: BaseChatModel
    process: subprocess.Popen[str]
    mood: Mood
    gone: NotThere  # type: ignore[name-defined]  # noqa: F821 - as names for type checkers only


def graph_of(*kinds: Any) -> CompiledStateGraph[Any, Any, Any, Any]:
    """A graph whose state has a channel for each kind."""
    fields = {f"field_{number}": kind for number, kind in enumerate(kinds)}
    schema: Any = type("State", (MessagesState,), {"__annotations__": fields})
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(schema)
    builder.add_node("node", lambda state: state)
    builder.add_edge(START, "node")
    return builder.compile()


def own_types(*kinds: Any) -> set[str]:
    """The types of a state, without those that every state with messages has."""
    found = state_types(graph_of(*kinds)) - state_types(graph_of())
    return {kind.__name__ for kind in found}


def test_a_class_that_is_not_found_by_its_name_is_left_out() -> None:
    assert own_types(Booking) == {"Booking"}


def test_what_no_checkpoint_is_written_as_and_the_subclasses_of_a_librarys_class_are_left_out() -> (
    None
):
    assert own_types(Odd) == {"Odd", "BaseChatModel", "Mood"}


@pytest.mark.parametrize("hint", [Any, object, dict, list[Any], int | None, type[str]])
def test_a_hint_that_says_too_little_names_no_type(hint: Any) -> None:
    assert own_types(hint) == set()


@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_that_langgraph_itself_would_allow_is_missing(name: str) -> None:
    graph = GRAPHS[name]()
    schemas = list(graph.builder.schemas) if isinstance(graph, CompiledStateGraph) else []
    theirs = build_serde_allowlist(schemas=schemas, channels=dict(graph.channels))
    safe = build_serde_allowlist()
    ours = {(kind.__module__, kind.__name__) for kind in state_types(graph)}
    assert theirs - safe <= ours


@pytest.mark.parametrize("value", [None, b"x", bytearray(b"x"), {"a": 1}])
def test_the_serialiser_reads_every_encoding_that_it_writes(value: Any) -> None:
    encoding, data = StateSerializer().dumps_typed(value)
    assert encoding in WRITTEN
    assert StateSerializer().loads_typed((encoding, data)) == value


@pytest.mark.parametrize("encoding", ["json", "pickle", "", "msgpack2" * 1000])
def test_another_encoding_is_refused_in_one_sentence(encoding: str) -> None:
    with pytest.raises(ForeignCheckpoint, match="delete the checkpoints of this call$") as refused:
        StateSerializer().loads_typed((encoding, b"{}"))
    assert len(str(refused.value)) < 300


def test_a_serialiser_that_is_told_of_types_still_refuses_other_encodings() -> None:
    told = StateSerializer().with_msgpack_allowlist({("a", "b")})
    with pytest.raises(ForeignCheckpoint):
        told.loads_typed(("json", b"{}"))
    assert isinstance(told, JsonPlusSerializer)


def test_types_that_a_policy_names_are_added_with_those_of_their_fields() -> None:
    names = {kind.__name__ for kind in state_types(graph_of(), (Order,))}
    assert {"Order", "Address", "Cart", "Item", "Mood"} <= names


@pytest.mark.parametrize("given", [Order, [Order], ("Order",), (Mood.CALM,)])
def test_a_policys_types_are_a_tuple_of_classes(given: Any) -> None:
    with pytest.raises(ValueError, match=r"CallPolicy\.state_types must be a tuple of classes"):
        CallPolicy(state_types=given)
