"""A graph that fails: the caller hears of it, the call goes on, and it does not go on for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, SystemMessage, ToolCall, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import Send
from livekit.agents.llm import ChatContext, ChatMessage

from lastword.bridge import GraphLLM
from lastword.hangup.call_end import CallEnd
from lastword.signals import CallPolicy, say
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
        assert "ending" not in phone.events.names


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
        assert "ending" not in phone.events.names


async def quiet(state: MessagesState) -> dict[str, Any]:
    return {}


async def test_p11_an_answer_without_a_word_is_apologised_for() -> None:
    async with phone_call(graph_of(quiet), POLICY) as phone:
        await phone.say("Hello.")
        assert phone.spoken() == [POLICY.apology]


async def test_a_policy_may_allow_a_graph_to_stay_silent_and_its_state_goes_on() -> None:
    seen: list[list[str]] = []

    async def listen(state: MessagesState) -> dict[str, Any]:
        seen.append([message.text for message in state["messages"]])
        if len(seen) < 3:
            return {"messages": [SystemMessage(f"silent {len(seen)}")]}
        return {"messages": [AIMessage("Here I am.")]}

    policy = replace(POLICY, must_answer=False)
    async with phone_call(graph_of(listen), policy) as phone:
        for words in ("One.", "Two.", "Three."):
            await phone.say(words)
        assert phone.spoken() == ["Here I am."]
    assert seen[-1] == ["One.", "silent 1", "Two.", "silent 2", "Three."]


async def test_p11_a_graph_that_goes_round_in_circles_is_stopped() -> None:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("round", quiet)
    builder.add_edge(START, "round")
    builder.add_edge("round", "round")
    async with phone_call(builder.compile(), POLICY) as phone:
        await phone.say("Hello.")
        assert phone.spoken() == [POLICY.apology]


@pytest.mark.parametrize(("mood", "policy"), [(fail, POLICY), (hang, HASTY)])
async def test_a_failure_is_logged_with_the_node_it_happened_in(
    mood: Callable[[], Any], policy: CallPolicy, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "lastword.bridge"):
        async with phone_call(moody(mood), policy) as phone:
            await phone.say("Hello.")
    record = next(record for record in caplog.records if record.message == "the graph failed")
    assert record.__dict__["graph_nodes"] == ["talk"]


async def test_p5_the_tools_of_a_failed_run_are_not_run_again() -> None:
    ran: list[str] = []
    seen: list[list[str]] = []

    async def call_tools(state: MessagesState) -> dict[str, Any]:
        seen.append([message.type for message in state["messages"]])
        if len(seen) > 1:
            return {"messages": [AIMessage("Booked it is.")]}
        calls = [ToolCall(name=name, args={}, id=name) for name in ("book", "send", "ask")]
        return {"messages": [AIMessage("", tool_calls=calls)]}

    def send_out(state: MessagesState) -> list[Send] | str:
        last = state["messages"][-1]
        calls = last.tool_calls if isinstance(last, AIMessage) else []
        return [Send("tools", call) for call in calls] or END

    ready = asyncio.Barrier(3)

    async def tools(call: ToolCall) -> dict[str, Any]:
        ran.append(call["name"])
        await ready.wait()
        if call["name"] == "ask":
            await asyncio.Event().wait()
        return {"messages": [ToolMessage("done", tool_call_id=call["id"])]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("call_tools", call_tools)
    node: Any = tools  # what it is sent is no state
    builder.add_node("tools", node)
    builder.add_edge(START, "call_tools")
    builder.add_conditional_edges("call_tools", send_out, ["tools", END])
    builder.add_edge("tools", "call_tools")
    async with phone_call(builder.compile(), HASTY) as phone:
        await phone.say("Book it and send it.")
        await phone.say("And?")
        assert phone.spoken() == [POLICY.apology, "Booked it is."]
    assert sorted(ran) == ["ask", "book", "send"]
    assert seen[-1] == ["human", "ai", "tool", "tool", "tool", "human"]


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
        assert "ending" not in phone.events.names


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
