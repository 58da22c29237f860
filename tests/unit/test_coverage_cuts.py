"""Which ways were taken by runs that stop on the way, and go on or do not."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START
from langgraph.types import Command, interrupt

from lastword.testing.coverage import EdgeTracer
from tests.fakes import way_graphs
from tests.fakes.traced import shape, start, taken_by, ways


async def test_a_node_that_waits_for_an_answer_has_run_but_not_gone_on() -> None:
    taken = await taken_by(way_graphs.question(), start())
    assert taken.nodes == Counter(first=1, ask=1, beside=1)
    assert ways(taken) == {"__start__ -> first": 1, "first -> ask": 1, "first -> beside": 1}


async def test_an_answered_question_goes_on_in_the_middle() -> None:
    taken = await taken_by(way_graphs.question(), start(), Command(resume="yes"))
    assert taken.nodes == Counter(first=1, ask=1, beside=1, answered=1, behind=1)
    assert ways(taken) == {
        "__start__ -> first": 1,
        "first -> ask": 1,
        "first -> beside": 1,
        "ask -> answered": 1,
        "beside -> behind": 1,
        "answered -> __end__": 1,
        "behind -> __end__": 1,
    }


async def test_a_process_that_only_sees_the_answer_takes_nothing_from_the_start() -> None:
    async def ask(state: way_graphs.Trail) -> dict[str, Any]:
        return {"trail": [str(interrupt("really?"))]}

    made = way_graphs.builder("answered")
    made.add_node("ask", ask)
    made.add_edge(START, "ask")
    made.add_edge("ask", "answered")
    graph = made.compile(checkpointer=InMemorySaver())
    await taken_by(graph, start())
    taken = await taken_by(graph, Command(resume="yes"))
    assert ways(taken) == {"ask -> answered": 1, "answered -> __end__": 1}


async def test_every_turn_begins_at_the_start() -> None:
    taken = await taken_by(way_graphs.failing(0), start(), start())
    assert ways(taken) == {
        "__start__ -> first": 2,
        "first -> shaky": 2,
        "shaky -> then": 2,
        "then -> __end__": 2,
    }


async def test_a_node_that_is_tried_again_has_run_once() -> None:
    taken = await taken_by(way_graphs.failing(2, tries=3), start())
    assert taken.nodes == Counter(first=1, shaky=1, then=1)
    assert taken.edges["shaky", "then"] == 1


async def test_a_node_that_fails_has_run_but_not_gone_on() -> None:
    graph, tracer = way_graphs.failing(1), EdgeTracer()
    with pytest.raises(ConnectionError):
        await taken_by(graph, start(), tracer=tracer)
    taken = tracer.taken(shape(graph))
    assert taken.nodes == Counter(first=1, shaky=1)
    assert ways(taken) == {"__start__ -> first": 1, "first -> shaky": 1}


async def test_a_run_that_is_cut_has_taken_what_it_had_reached() -> None:
    tracer, waits = EdgeTracer(), asyncio.Event()

    async def wait(state: way_graphs.Trail) -> dict[str, Any]:
        waits.set()
        await asyncio.Event().wait()
        return {}

    made = way_graphs.builder("first")
    made.add_node("wait", wait)
    made.add_edge(START, "first")
    made.add_edge("first", "wait")
    graph = made.compile()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(taken_by(graph, start(), tracer=tracer))
        await waits.wait()
        running.cancel()
    assert ways(tracer.taken(shape(graph))) == {"__start__ -> first": 1, "first -> wait": 1}
