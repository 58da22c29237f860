"""A run that was discarded leaves no trace: no state, no words, no ending (P4)."""

from __future__ import annotations

import pytest
from livekit.agents.llm import ChatContext, ChatMessage, CollectedResponse, function_tool

from agent.bridge import GraphLLM
from agent.bridge.history import POINTER_KEY
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
    assert answer.extra[POINTER_KEY]["ended"] is True
    assert "the graph ended the call, but the agent has no end_call tool" in caplog.text
