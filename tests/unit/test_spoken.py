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

from lastword.bridge.observation import ModelCalls
from lastword.bridge.spoken import SpeechFilter
from lastword.signals import CallPolicy

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


def last(text: str, message_id: str) -> AIMessageChunk:
    """The last chunk of a streamed message."""
    return AIMessageChunk(content=text, id=message_id, chunk_position="last")


def streaming(text: str, message_id: str) -> AIMessageChunk:
    """A chunk that is followed by others."""
    return AIMessageChunk(content=text, id=message_id)


def test_p6_a_node_that_runs_twice_repeats_neither_of_its_answers() -> None:
    speech = SpeechFilter(CallPolicy())
    said(speech, last("One moment.", "a"), "1")
    said(speech, AIMessage("One moment.", id="copy of a"), "1")
    said(speech, last("It is Tuesday.", "b"), "2")
    said(speech, AIMessage(" It is  Tuesday.\n", id="copy of b"), "2")
    assert speech.text == "One moment. It is Tuesday."


def test_p6_a_node_may_say_the_same_in_two_steps() -> None:
    speech = SpeechFilter(CallPolicy())
    said(speech, last("Yes?", "a"), "1")
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
    for message in (last("One.", "a"), streaming("Two.", "b"), streaming(" Three.", "b")):
        said(speech, message, "1")
    assert speech.text == "One. Two. Three."
    assert speech.messages == [("a", 0), ("b", 4)]


def test_p6_a_say_signal_is_spoken_between_streamed_messages() -> None:
    speech = SpeechFilter(CallPolicy())
    said(speech, last("Let me see.", "a"), "1")
    assert speech.say("One moment.") == " One moment."
    assert said(speech, streaming("Here.", "b"), "2") == " Here."


def test_p6_what_parallel_nodes_stream_at_once_is_spoken_one_after_the_other() -> None:
    speech = SpeechFilter(CallPolicy())
    assert said(speech, streaming("The kitchen", "a"), "1") == "The kitchen"
    assert said(speech, streaming("The bath", "b"), "2") == ""
    assert speech.say("One moment.") == ""
    assert said(speech, streaming(" is done", "b"), "2") == ""
    assert said(speech, last(" is done.", "a"), "1") == " is done. The bath is done"
    assert said(speech, last(" too.", "b"), "2") == " too. One moment."
    assert speech.messages == [("a", 0), ("b", 20), ("", 42)]


def test_p6_a_task_that_ends_in_the_middle_of_a_message_lets_the_others_speak() -> None:
    speech = SpeechFilter(CallPolicy())
    said(speech, streaming("The kit", "a"), "1")
    said(speech, last("Sorry.", "b"), "2")
    assert speech.task_over("1") == " Sorry."


@pytest.mark.parametrize(
    "chunks",
    [
        ['{"intent": "book"}'],
        ["{", '"intent": ', '"book"}'],
        [" \n", "{}", ""],
        ['[{"intent":', ' "book"}]'],
        ["```", "json", '\n{"a": 1}\n', "```"],
    ],
)
def test_p6_structured_output_is_not_spoken(chunks: list[str]) -> None:
    speech = SpeechFilter(CallPolicy())
    for text in chunks[:-1]:
        assert said(speech, streaming(text, "a"), "1") == ""
    assert said(speech, last(chunks[-1], "a"), "1") == ""
    assert said(speech, AIMessage("".join(chunks), id="copy"), "1") == ""
    assert said(speech, AIMessage("Booked.", id="b"), "2") == "Booked."


def test_p6_structured_output_that_breaks_off_is_not_spoken() -> None:
    speech = SpeechFilter(CallPolicy())
    said(speech, streaming('{"intent": "bo', "a"), "1")
    assert speech.flush() == ""


@pytest.mark.parametrize(
    ("chunks", "at_once"),
    [
        (["{smiles} Good", " morning."], "{smiles} Good"),
        (["[laughs] Good", " morning."], "[laughs] Good"),
        (["[", "whispers] Yes."], ""),
        (['{"quoted"}', " words."], ""),
        (["`x` is the", " name."], "`x` is the"),
    ],
)
def test_p6_speech_that_only_looks_like_structured_output_is_spoken(
    chunks: list[str], at_once: str
) -> None:
    speech = SpeechFilter(CallPolicy())
    assert said(speech, streaming(chunks[0], "a"), "1") == at_once
    said(speech, last(chunks[1], "a"), "1")
    assert speech.text == "".join(chunks)


class Failing(ModelCalls):
    """A task that has failed so often."""

    count = 0

    def failures(self, task: str, message_id: str | None = None) -> int:
        return self.count


def attempts(*tries: list[str]) -> SpeechFilter:
    """A task that streams something, fails, and tries again."""
    failures = Failing()
    speech = SpeechFilter(CallPolicy(), calls=failures)
    for number, chunks in enumerate(tries):
        failures.count = number
        for text in chunks:
            said(speech, streaming(text, f"try {number}"), "1")
    speech.flush()
    return speech


@pytest.mark.parametrize(
    ("tries", "spoken"),
    [
        ([["Your appoint"], ["Your appoint", "ment is at ten."]], "Your appointment is at ten."),
        (
            [["Your appoint"], ["Your", " appointment is", " at ten."]],
            "Your appointment is at ten.",
        ),
        ([["At ten."], ["At ten."]], "At ten."),
        ([["At"], ["At te"], ["At ten", " sharp."]], "At ten sharp."),
        ([["You come on Tues"], ["You come on Tuning day."]], "You come on Tues Tuning day."),
        ([["One moment."], ["It is Tuesday."]], "One moment. It is Tuesday."),
    ],
)
def test_p6_a_retry_repeats_nothing_that_was_spoken(tries: list[list[str]], spoken: str) -> None:
    assert attempts(*tries).text == spoken


def test_p5_the_words_of_a_failed_attempt_belong_to_the_message_that_takes_them_up() -> None:
    assert attempts(["Your appoint"], ["Your appointment is at ten."]).messages == [("try 1", 0)]
    assert attempts(["At ten."], ["At ten."]).messages == [("try 1", 0)]
    assert attempts(["One moment."], ["Tuesday."]).messages == [("try 0", 0), ("try 1", 11)]


def test_p6_two_messages_of_a_failed_attempt_are_both_not_repeated() -> None:
    failures = Failing()
    speech = SpeechFilter(CallPolicy(), calls=failures)
    for failures.count in range(2):
        said(speech, last("Let me see.", f"a{failures.count}"), "1")
        said(speech, last("It is ten.", f"b{failures.count}"), "1")
    assert speech.text == "Let me see. It is ten."


def test_p6_a_say_signal_of_a_retry_is_not_repeated() -> None:
    speech = SpeechFilter(CallPolicy())
    assert speech.say("One moment.") == "One moment."
    assert speech.say("One moment.", again=True) == ""
    assert speech.say("Found it.", again=True) == " Found it."
