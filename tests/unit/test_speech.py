"""Only speech is spoken (P6)."""

from __future__ import annotations

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from agent.bridge.speech import SpeechFilter
from graphs.call_signals import CallPolicy

Item = tuple[BaseMessage, str]


def spoken(*items: Item, policy: CallPolicy | None = None) -> str:
    speech = SpeechFilter(policy or CallPolicy())
    said = [speech.message(message, {"langgraph_node": node}) for message, node in items]
    text = "".join([*said, speech.flush()])
    assert text == speech.text
    return text


def chunk(text: str, message_id: str = "m1", node: str = "talk") -> Item:
    return AIMessageChunk(content=text, id=message_id), node


def test_p6_streamed_chunks_and_whole_messages_are_spoken_in_order() -> None:
    assert (
        spoken(chunk("One"), chunk(" moment."), (AIMessage("Found it.", id="m2"), "look"))
        == "One moment. Found it."
    )


@pytest.mark.parametrize(
    "message",
    [
        ToolMessage("row 17", tool_call_id="t"),
        SystemMessage("be kind"),
        HumanMessage("hello"),
        AIMessage("", tool_calls=[{"name": "book", "args": {}, "id": "t"}]),
    ],
)
def test_p6_tools_prompts_and_callers_are_not_spoken(message: BaseMessage) -> None:
    assert spoken((message, "talk")) == ""


def test_p6_silent_nodes_are_not_spoken() -> None:
    policy = CallPolicy(silent_nodes=frozenset({"route"}))
    assert spoken(chunk("BOOKING", "r", "route"), chunk("Gladly."), policy=policy) == "Gladly."


def test_p6_with_spoken_nodes_no_other_node_is_spoken() -> None:
    policy = CallPolicy(spoken_nodes=frozenset({"talk"}))
    assert spoken(chunk("BOOKING", "r", "route"), chunk("Gladly."), policy=policy) == "Gladly."


def test_p6_a_message_that_was_streamed_is_not_spoken_again_under_another_id() -> None:
    assert spoken(chunk("Hel"), chunk("lo."), (AIMessage("Hello.", id="copy"), "talk")) == "Hello."


def said(speech: SpeechFilter, message: BaseMessage, task: str) -> str:
    return speech.message(
        message, {"langgraph_node": "talk", "langgraph_checkpoint_ns": f"talk:{task}"}
    )


def test_p6_a_node_that_runs_twice_repeats_neither_of_its_answers() -> None:
    speech = SpeechFilter(CallPolicy())
    said(speech, AIMessageChunk(content="One moment.", id="a"), "1")
    said(speech, AIMessage("One moment.", id="copy of a"), "1")
    said(speech, AIMessageChunk(content="It is Tuesday.", id="b"), "2")
    said(speech, AIMessage(" It is  Tuesday.\n", id="copy of b"), "2")
    assert speech.text == "One moment. It is Tuesday."


def test_p6_a_node_may_say_the_same_in_two_steps() -> None:
    speech = SpeechFilter(CallPolicy())
    said(speech, AIMessageChunk(content="Yes?", id="a"), "1")
    said(speech, AIMessage("Yes?", id="b"), "2")
    assert speech.text == "Yes? Yes?"


def test_p2_an_end_token_on_its_own_leaves_not_even_a_space() -> None:
    speech = SpeechFilter(CallPolicy())
    assert speech.message(AIMessage("Goodbye.", id="a"), {"langgraph_node": "talk"}) == "Goodbye."
    assert speech.message(AIMessage("<end>", id="b"), {"langgraph_node": "stop"}) == ""
    assert speech.flush() == ""
    assert speech.token_node == "stop"


def test_p5_it_is_known_where_each_message_begins() -> None:
    speech = SpeechFilter(CallPolicy())
    for message_id, text in [("a", "One."), ("b", "Two."), ("b", " Three.")]:
        speech.message(AIMessageChunk(content=text, id=message_id), {"langgraph_node": "talk"})
    assert speech.text == "One. Two. Three."
    assert speech.messages == [("a", 0), ("b", 4)]


def test_p6_a_say_signal_is_spoken_between_streamed_messages() -> None:
    speech = SpeechFilter(CallPolicy())
    speech.message(AIMessageChunk(content="Let me see.", id="a"), {"langgraph_node": "talk"})
    assert speech.say("One moment.") == " One moment."
    after = speech.message(AIMessageChunk(content="Here.", id="b"), {"langgraph_node": "talk"})
    assert after == " Here."
