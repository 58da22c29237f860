"""A run that was discarded leaves no trace: no state, no words, no ending (P4)."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from livekit.agents import AgentSession, ConversationItemAddedEvent
from livekit.agents.llm import ChatContext, ChatMessage, CollectedResponse, function_tool

from lastword.bridge import GraphLLM
from lastword.bridge.chat_items import POINTER_KEY
from lastword.signals import turn_certain
from tests.fakes.phone import phone_call
from tests.fakes.scripted_graph import ScriptedModel, talking_graph


@function_tool(name="end_call", description="stands for the call's own tool")
async def end_call(reason: str, outcome: str, source: str) -> None:
    raise AssertionError(f"nobody runs the tool here: {reason} {outcome} {source}")


async def run(graph_llm: GraphLLM, history: ChatContext) -> CollectedResponse:
    return await graph_llm.chat(chat_ctx=history, tools=[end_call]).collect()


def caller(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=[text])


def spoken(answer: CollectedResponse) -> ChatMessage:
    return ChatMessage(role="assistant", content=[answer.text], extra=answer.extra)


async def test_p4_a_discarded_first_run_leaves_no_trace() -> None:
    model = ScriptedModel(answers=[["Goodbye!<end>"], ["By the way what?"]])
    graph_llm = GraphLLM(talking_graph(model))
    discarded = await run(graph_llm, ChatContext([caller("bye")]))
    assert [call.name for call in discarded.tool_calls] == ["end_call"]
    kept = await run(graph_llm, ChatContext([caller("by the way")]))
    assert kept.tool_calls == []
    assert [message.text for message in model.calls[-1]] == ["by the way"]


async def test_p4_a_discarded_later_run_leaves_no_trace() -> None:
    model = ScriptedModel(answers=[["Hello."], ["Goodbye!<end>"], ["Yes?"], ["Fine."]])
    graph_llm = GraphLLM(talking_graph(model))
    history = ChatContext([caller("hi")])
    history.insert(spoken(await run(graph_llm, history)))
    speculative, certain = history.copy(), history.copy()
    speculative.insert(caller("bye"))
    certain.insert(caller("by the way"))
    await run(graph_llm, speculative)
    certain.insert(spoken(await run(graph_llm, certain)))
    certain.insert(caller("one more thing"))
    await run(graph_llm, certain)
    assert [message.text for message in model.calls[-1]] == [
        "hi",
        "Hello.",
        "by the way",
        "Yes?",
        "one more thing",
    ]


async def test_p5_without_a_checkpointer_the_history_is_sent_and_nothing_is_doubled() -> None:
    model = ScriptedModel(answers=[["Hello."], ["Yes?"]])
    graph_llm = GraphLLM(talking_graph(model, remembers=False))
    history = ChatContext([caller("hi")])
    answer = await run(graph_llm, history)
    assert answer.extra[POINTER_KEY]["checkpoint_id"] is None
    history.insert(spoken(answer))
    history.insert(caller("well"))
    await run(graph_llm, history)
    assert [message.text for message in model.calls[-1]] == ["hi", "Hello.", "well"]


async def test_p2_without_an_end_call_tool_an_ending_is_logged_not_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    graph_llm = GraphLLM(talking_graph(ScriptedModel(answers=[["Goodbye!<end>"]])))
    answer = await graph_llm.chat(chat_ctx=ChatContext([caller("bye")])).collect()
    assert (answer.text, answer.tool_calls) == ("Goodbye!", [])
    assert answer.extra[POINTER_KEY]["ending"]["reason"] == "completed"
    assert "the graph ended the call, but the agent has no end_call tool" in caplog.text


class Booking(NamedTuple):
    """A graph that books, and what it has booked."""

    graph: Pregel[Any, Any, Any, Any]
    reached: asyncio.Event
    booked: list[str]


def booking() -> Booking:
    reached = asyncio.Event()
    booked: list[str] = []

    async def book(state: MessagesState) -> dict[str, Any]:
        reached.set()
        await turn_certain()
        booked.append(state["messages"][-1].text)
        return {"messages": [AIMessage("Booked.")]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("book", book)
    builder.add_edge(START, "book")
    return Booking(builder.compile(checkpointer=InMemorySaver()), reached, booked)


async def test_p4_a_discarded_run_has_no_lasting_effect() -> None:
    graph, reached, booked = booking()
    graph_llm = GraphLLM(graph)
    session: AgentSession[None] = AgentSession()
    graph_llm.follow(session)
    stream = graph_llm.chat(chat_ctx=ChatContext([caller("Tuesday")]))
    await reached.wait()
    await stream.aclose()
    assert booked == []


async def test_p4_an_adopted_run_goes_on() -> None:
    graph, reached, booked = booking()
    graph_llm = GraphLLM(graph)
    session: AgentSession[None] = AgentSession()
    graph_llm.follow(session)
    words = caller("Tuesday")
    async with graph_llm.chat(chat_ctx=ChatContext([words])) as stream:
        await reached.wait()
        assert booked == []
        session.emit("conversation_item_added", ConversationItemAddedEvent(item=words))
        assert [
            chunk.delta.content async for chunk in stream if chunk.delta and chunk.delta.content
        ]
    assert booked == ["Tuesday"]


async def test_p4_in_a_call_what_is_certain_is_done() -> None:
    graph, _, booked = booking()
    async with phone_call(graph) as phone:
        await phone.say("Tuesday")
        assert phone.spoken() == ["Booked."]
    assert booked == ["Tuesday"]


async def test_p4_where_nobody_follows_the_conversation_nothing_waits() -> None:
    graph, _, booked = booking()
    await run(GraphLLM(graph), ChatContext([caller("Tuesday")]))
    assert booked == ["Tuesday"]
