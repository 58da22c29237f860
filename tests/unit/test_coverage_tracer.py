"""Which ways were taken, noted from real runs of small graphs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph

from graphs.appointment.graph import build, call_policy
from graphs.appointment.rules import RULES
from graphs.chat_models import chat_model
from lastword.testing.coverage import Coverage, Edge, EdgeTracer, GraphShape, Taken, shape_of
from lastword.testing.coverage.shape import Router
from lastword.testing.coverage.taken import RunLog, TaskLog, edges_taken
from tests.fakes import way_graphs
from tests.fakes.conversation import Conversation
from tests.fakes.traced import Ways, shape, start, taken_by, ways
from tests.fakes.way_graphs import Graph

TAKEN: list[tuple[Callable[[], Graph], str, Ways]] = [
    (way_graphs.declared_router, "left", {"__start__ -> left": 1, "left -> __end__": 1}),
    (
        way_graphs.mapped_router,
        "awful",
        {"__start__ -> ask": 1, "ask -> excuse": 1, "excuse -> __end__": 1},
    ),
    (way_graphs.mapped_router, "none", {"__start__ -> ask": 1, "ask -> __end__": 1}),
    (
        way_graphs.undeclared_router,
        "right",
        {"__start__ -> ask": 1, "ask -> right": 1, "right -> __end__": 1},
    ),
    (
        way_graphs.fan_out,
        "one two three",
        {"__start__ -> plan": 1, "plan -> work": 3, "work -> sum": 3, "sum -> __end__": 1},
    ),
    (
        way_graphs.join,
        "",
        {
            "__start__ -> short": 1,
            "__start__ -> long": 1,
            "long -> longer": 1,
            "short -> both": 1,
            "longer -> both": 1,
            "both -> __end__": 1,
        },
    ),
    (
        way_graphs.deferred,
        "",
        {
            "__start__ -> short": 1,
            "__start__ -> long": 1,
            "long -> longer": 1,
            "short -> last": 1,
            "longer -> last": 1,
            "last -> __end__": 1,
        },
    ),
    (
        way_graphs.commands,
        "left",
        {"__start__ -> decide": 1, "decide -> left": 1, "left -> __end__": 1},
    ),
    (way_graphs.commands, "nowhere", {"__start__ -> decide": 1, "decide -> __end__": 1}),
    (way_graphs.commands, "silent", {"__start__ -> decide": 1, "decide -> __end__": 1}),
    (
        way_graphs.commands,
        "stray",
        {
            "__start__ -> decide": 1,
            "decide -> stray": 1,
            "stray -> left": 1,
            "left -> __end__": 1,
        },
    ),
    (
        way_graphs.side_by_side,
        "",
        {
            "__start__ -> goer": 1,
            "__start__ -> stayer": 1,
            "goer -> next": 1,
            "stayer -> __end__": 1,
            "next -> __end__": 1,
        },
    ),
    (
        way_graphs.subgraph,
        "",
        {
            "__start__ -> outer": 1,
            "outer:__start__ -> outer:first": 1,
            "outer:first -> outer:second": 1,
            "outer:second -> outer:__end__": 1,
            "outer -> after": 1,
            "after -> __end__": 1,
        },
    ),
    (
        way_graphs.to_parent,
        "",
        {
            "__start__ -> outer": 1,
            "outer:__start__ -> outer:leave": 1,
            "outer -> after": 1,
            "after -> __end__": 1,
        },
    ),
    (
        way_graphs.handled,
        "",
        {
            "__start__ -> broken": 1,
            "broken -> __error_handler__broken": 1,
            "__error_handler__broken -> repair": 1,
            "repair -> __end__": 1,
        },
    ),
]


@pytest.mark.parametrize(("make", "way", "expected"), TAKEN)
async def test_exactly_the_edges_of_the_run_are_taken(
    make: Callable[[], Graph], way: str, expected: Ways
) -> None:
    assert ways(await taken_by(make(), start(way))) == expected


@pytest.mark.parametrize(("make", "way", "expected"), TAKEN)
async def test_a_streamed_run_takes_the_same_edges(
    make: Callable[[], Graph], way: str, expected: Ways
) -> None:
    tracer, graph = EdgeTracer(), make()
    config = RunnableConfig(callbacks=[tracer])
    async for _ in graph.astream(start(way), config, stream_mode="updates", subgraphs=True):
        pass
    assert ways(tracer.taken(shape(graph))) == expected


def test_plain_nodes_that_run_in_threads_take_their_edges() -> None:
    made: way_graphs.Builder = StateGraph(way_graphs.Trail)
    for name in ("one", "two", "both"):
        made.add_node(name, lambda state: {"trail": [state["way"]]})
    made.add_edge(START, "one")
    made.add_edge(START, "two")
    made.add_edge(["one", "two"], "both")
    graph, tracer = made.compile(), EdgeTracer()
    graph.invoke(start(), RunnableConfig(callbacks=[tracer]))
    assert ways(tracer.taken(shape(graph))) == {
        "__start__ -> one": 1,
        "__start__ -> two": 1,
        "one -> both": 1,
        "two -> both": 1,
        "both -> __end__": 1,
    }


async def test_a_node_counts_as_often_as_it_runs() -> None:
    taken = await taken_by(way_graphs.fan_out(), start("one two"), start("three"))
    assert taken.nodes == Counter(plan=2, work=3, sum=2)


async def test_the_prebuilt_agent_shows_no_choice_but_what_it_does_tells() -> None:
    taken = await taken_by(way_graphs.agent(), {"messages": [("human", "is it there?")]})
    assert ways(taken) == {
        "__start__ -> model": 1,
        "model -> tools": 1,
        "tools -> model": 1,
        "model -> __end__": 1,
    }


async def test_a_prebuilt_agent_inside_a_graph_does_too() -> None:
    taken = await taken_by(way_graphs.agent_inside(), {"messages": [("human", "is it there?")]})
    assert ways(taken) == {
        "__start__ -> helper": 1,
        "helper:__start__ -> helper:model": 1,
        "helper:model -> helper:tools": 1,
        "helper:tools -> helper:model": 1,
        "helper:model -> helper:__end__": 1,
        "helper -> __end__": 1,
    }


def test_a_hidden_choice_is_one_of_those_that_the_router_declares() -> None:
    """Two nodes of one step; the one with the hidden router could not have gone to ``other``."""
    hidden = Router("hidden", "route", {"next": "next", "other": "__end__"})
    fixed = Edge("fixed", "other")
    shape = GraphShape("small", ("hidden", "fixed", "next", "other"), (fixed,), routers=(hidden,))
    tasks = [TaskLog("hidden", 1, ended=True), TaskLog("fixed", 1, ended=True)]
    run = RunLog("", resumed=True, tasks=[*tasks, TaskLog("other", 2)])
    assert edges_taken(run, shape) == {("fixed", "other"): 1, ("hidden", "__end__"): 1}


async def test_runs_side_by_side_are_told_apart() -> None:
    graph, tracer = way_graphs.commands(), EdgeTracer()
    config = RunnableConfig(callbacks=[tracer])
    await asyncio.gather(
        *(graph.ainvoke(start(way), config) for way in ("left", "stray", "nowhere"))
    )
    taken = tracer.taken(shape(graph))
    assert taken.edges["decide", "left"] == 1
    assert taken.edges["stray", "left"] == 1
    assert taken.edges["decide", "__end__"] == 1


async def test_nodes_of_another_graph_are_left_out() -> None:
    tracer = EdgeTracer()
    await taken_by(way_graphs.join(), start(), tracer=tracer)
    assert tracer.taken(shape(way_graphs.mapped_router())) == Taken()


async def test_a_call_of_the_sample_graph_takes_its_way(tmp_path: Path) -> None:
    conversation = Conversation(build(chat_model(RULES)), tmp_path)
    tracer = EdgeTracer()
    conversation.config["callbacks"] = [tracer]
    await conversation.talk("yes this is Anna", "yes that works for me")
    shape = shape_of("appointment", conversation.graph, call_policy)
    taken = tracer.taken(shape)
    assert taken.nodes == Counter(greet=1, understand=2, remind=1, confirm=1, end=1)
    assert ways(taken) == {
        "__start__ -> greet": 1,
        "greet -> __end__": 1,
        "__start__ -> understand": 2,
        "understand -> remind": 1,
        "remind -> __end__": 1,
        "understand -> confirm": 1,
        "confirm -> end": 1,
        "end -> __end__": 1,
    }
    assert not {edge for edge in Coverage(shape, taken).edges if not edge.declared}
