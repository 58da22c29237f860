"""A graph that fails: the caller hears of it, the call goes on, and it does not go on for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from livekit.agents.llm import ChatContext, ChatMessage

from agent.bridge import GraphLLM
from agent.call import CallEnd
from graphs.call_signals import CallPolicy, say
from tests.fakes.phone import phone_call
from tests.fakes.scripted_graph import ScriptedModel, talking_graph

POLICY = CallPolicy(first_speaker="caller", tail=0)
HASTY = replace(POLICY, turn_timeout=2.0)
"""For graphs that hang: long enough that no other turn is cut short on a busy machine."""


def graph_of(talk: Any) -> Pregel[Any, Any, Any, Any]:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("talk", talk)
    builder.add_edge(START, "talk")
    builder.add_edge("talk", END)
    return builder.compile()


def moody(*moods: Callable[[], Any]) -> Pregel[Any, Any, Any, Any]:
    """A graph that does one thing a turn."""
    turns = iter(moods)

    async def talk(state: MessagesState) -> Any:
        done = next(turns)()
        return await done if asyncio.iscoroutine(done) else done

    return graph_of(talk)


def fail() -> Any:
    raise RuntimeError("the database is down")


def speak_and_fail() -> Any:
    say("Let me see.")
    fail()


def answer() -> Any:
    return {"messages": [AIMessage("Here you are.")]}


def hang() -> Any:
    return asyncio.Event().wait()


@pytest.mark.parametrize("mood", [fail, hang])
async def test_a_failing_graph_apologises_and_the_call_goes_on(mood: Callable[[], Any]) -> None:
    async with phone_call(moody(mood, answer), HASTY) as phone:
        await phone.say("Hello.")
        assert phone.spoken() == [POLICY.apology]
        await phone.say("Again.")
        assert phone.spoken()[1:] == ["Here you are."]
        assert "ending" not in phone.journal.events


async def test_words_that_were_spoken_before_the_failure_are_not_repeated() -> None:
    async with phone_call(moody(speak_and_fail), POLICY) as phone:
        await phone.say("Hello.")
        assert phone.spoken() == [f"Let me see. {POLICY.apology}"]


async def test_p11_a_graph_that_keeps_failing_ends_the_call_by_error() -> None:
    async with phone_call(moody(fail, hang, fail), HASTY) as phone:
        for words in ("One.", "Two.", "Three."):
            await phone.say(words)
        assert await phone.running == CallEnd("error", "graph_failed")
        assert phone.spoken() == [POLICY.apology, POLICY.apology, POLICY.failure_farewell]
        assert phone.line.removals == 1


async def test_failures_that_are_not_in_a_row_end_nothing() -> None:
    async with phone_call(moody(fail, fail, answer, fail, fail), POLICY) as phone:
        for words in ("One.", "Two.", "Three.", "Four.", "Five."):
            await phone.say(words)
        assert "ending" not in phone.journal.events


async def test_a_failure_is_logged_with_its_thread(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "lastword.bridge"):
        async with phone_call(moody(fail), POLICY) as phone:
            await phone.say("Hello.")
    record = next(record for record in caplog.records if record.message == "the graph failed")
    assert record.__dict__["graph_thread"] == "call-under-test"
    assert "the database is down" in caplog.text


class ShakyMemory(InMemorySaver):
    """A checkpointer whose database is down for the first question."""

    asked = 0

    async def aget_tuple(self, config: Any) -> Any:
        self.asked += 1
        if self.asked == 1:
            raise ConnectionError("no database")
        return await super().aget_tuple(config)


async def test_p5_a_memory_that_fails_is_apologised_for_and_no_word_is_lost() -> None:
    model = ScriptedModel(answers=[["Tuesday at ten."]])
    graph = talking_graph(model).copy({"checkpointer": ShakyMemory()})
    async with phone_call(graph, POLICY) as phone:
        await phone.say("Book Tuesday.")
        assert phone.spoken() == [POLICY.apology]
        await phone.say("At ten.")
        assert [message.text for message in model.calls[0]] == ["Book Tuesday.", "At ten."]


async def test_p4_failures_of_discarded_runs_do_not_count() -> None:
    graph_llm = GraphLLM(moody(fail, fail, fail, fail), policy=POLICY)
    for _ in range(4):
        words = ChatContext([ChatMessage(role="user", content=["Hello."])])
        discarded = await graph_llm.chat(chat_ctx=words).collect()
        assert discarded.text == POLICY.apology


async def test_p1_an_end_node_that_fails_does_not_hang_up_without_a_goodbye() -> None:
    async def end(state: MessagesState) -> Any:
        await ScriptedModel(answers=[["", ""]]).ainvoke("compose a goodbye")
        fail()

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("end", end)
    builder.add_edge(START, "end")
    async with phone_call(builder.compile(), POLICY) as phone:
        await phone.say("Bye.")
        assert phone.spoken() == [POLICY.apology]
        assert "ending" not in phone.journal.events


async def test_p2_an_ending_stands_even_if_the_graph_fails_after_it() -> None:
    async def end(state: MessagesState) -> Any:
        say("Goodbye.")
        return {"messages": [AIMessage("<end>")]}

    async def tidy_up(state: MessagesState) -> Any:
        fail()

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("talk", end)
    builder.add_node("tidy_up", tidy_up)
    builder.add_edge(START, "talk")
    builder.add_edge("talk", "tidy_up")
    async with phone_call(builder.compile(), POLICY) as phone:
        await phone.say("Bye.")
        assert await phone.running == CallEnd("graph", "completed")
        assert phone.spoken() == ["Goodbye."]


@pytest.mark.parametrize(
    ("field", "value"), [("turn_timeout", 0), ("max_failures", 0), ("tail", -1), ("end_token", " ")]
)
def test_an_impossible_policy_names_its_field(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"CallPolicy.{field} must"):
        CallPolicy(**{field: value})
