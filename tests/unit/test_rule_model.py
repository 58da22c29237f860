"""The offline chat model: what it understands, and that it behaves as any chat model."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path
from typing import Literal

import pytest
import yaml
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from pydantic import BaseModel, ValidationError

from graphs.appointment.rules import understand
from graphs.chat_models import ChatModelSettings, chat_model
from graphs.rule_model import SAY_AGAIN, ModelAnswer, ModelTurn, RuleChatModel
from graphs.spoken_numbers import digits_in_words, heard_digits, heard_number
from graphs.spoken_time import heard_time, heard_weekday, spoken_day, spoken_time
from graphs.understanding import is_done, normalise, says_goodbye, yes_or_no

PHRASINGS: dict[str, list[list[str]]] = yaml.safe_load(
    (Path(__file__).parent / "phrasings.yaml").read_text()
)
WRITES = {"yes", "cancel"}
"""What these mean is written down; a false one would be a false confirmation or cancellation."""


@pytest.mark.parametrize(("said", "means"), PHRASINGS["written_from"])
def test_every_sentence_that_the_rules_were_written_from_is_understood(
    said: str, means: str
) -> None:
    assert understand(said).intent == means


def test_of_the_held_out_sentences_nineteen_in_twenty_are_understood() -> None:
    held_out = PHRASINGS["held_out"]
    right = [said for said, means in held_out if understand(said).intent == means]
    assert len(held_out) >= 40
    assert len(right) / len(held_out) >= 0.95


@pytest.mark.parametrize(("said", "means"), PHRASINGS["held_out"] + PHRASINGS["written_from"])
def test_nothing_is_falsely_confirmed_or_cancelled(said: str, means: str) -> None:
    intent = understand(said).intent
    assert intent == means or intent not in WRITES


@pytest.mark.parametrize(
    ("said", "weekday", "at"),
    [
        ("thursday at half past two please", "Thursday", time(14, 30)),
        ("ten thirty would be fine", None, time(10, 30)),
        ("monday nine o'clock", "Monday", time(9, 0)),
        ("quarter past eleven", None, time(11, 15)),
        ("a quarter to three", None, time(14, 45)),
        ("twenty to four on friday", "Friday", time(15, 40)),
        ("2:30 pm", None, time(14, 30)),
        ("at eleven", None, time(11, 0)),
        ("four in the afternoon", None, time(16, 0)),
        ("monday or tuesday", None, None),
        ("the first one", None, None),
    ],
)
def test_days_and_times_are_understood(said: str, weekday: str | None, at: time | None) -> None:
    assert (heard_weekday(said), heard_time(said)) == (weekday, at)


@pytest.mark.parametrize("minute", range(0, 60, 5))
def test_a_time_is_understood_as_it_was_said(minute: int) -> None:
    moment = time(10, minute)
    assert heard_time(spoken_time(moment)) == moment or minute in (5, 25, 35, 55)


def test_dates_and_times_are_said_as_words() -> None:
    assert spoken_day(date(2026, 11, 24)) == "Tuesday the twenty-fourth of November"
    assert spoken_day(date(2026, 11, 30)) == "Monday the thirtieth of November"
    assert spoken_day(date(2026, 12, 31)) == "Thursday the thirty-first of December"
    assert [spoken_time(time(14, minute)) for minute in (0, 15, 30, 40, 45, 7)] == [
        "two o'clock",
        "quarter past two",
        "half past two",
        "twenty to three",
        "quarter to three",
        "two oh seven",
    ]
    days = [spoken_day(datetime(2026, 1, day).date()) for day in range(1, 32)]
    assert len(set(days)) == 31
    assert not any(char.isdigit() for said in days for char in said)


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("i would say four", 4),
        ("for", 4),
        ("five out of five", 5),
        ("8", 8),
        ("it was for me", None),
    ],
)
def test_numbers_are_understood(said: str, number: int | None) -> None:
    assert heard_number(said) == number


def test_a_telephone_number_is_heard_and_said_digit_by_digit() -> None:
    assert heard_digits("it's five five five oh one double two") == "5550122"
    assert heard_digits("one two three") == ""
    assert digits_in_words("+1 555 012") == "one five five, five zero one, two"


@pytest.mark.parametrize("said", ["thanks", "okay", "thank you very much", "all right", "good"])
def test_thanks_and_okay_are_neither_an_answer_nor_an_ending(said: str) -> None:
    assert yes_or_no(said) == "unclear"
    assert not says_goodbye(said)
    assert not is_done(said)


@pytest.mark.parametrize("said", ["goodbye", "good by", "bye bye", "see you", "ok bye", "bye now"])
def test_a_goodbye_is_a_goodbye(said: str) -> None:
    assert says_goodbye(said)


@pytest.mark.parametrize(
    "said",
    [
        "you say goodbye to high prices",
        "say good bye to the old chairs",
        "bye the way when are you open",
        "it is for the goodbye party",
    ],
)
def test_a_goodbye_to_something_else_is_none(said: str) -> None:
    assert not says_goodbye(said)


def test_speech_is_normalised() -> None:
    assert normalise("Yes, I CAN\N{RIGHT SINGLE QUOTATION MARK}T;  that's  all!") == (
        "yes i can not that is all"
    )


class Mood(BaseModel):
    """How the caller feels."""

    mood: Literal["good", "bad"]


def on_hello(turn: ModelTurn) -> ModelAnswer | None:
    return ModelAnswer("Hello to you.") if "hello" in turn.heard else None


def on_any(turn: ModelTurn) -> ModelAnswer | None:
    return ModelAnswer("Any.") if "any" in turn.heard or "hello" in turn.heard else None


def on_mood(turn: ModelTurn) -> ModelAnswer | None:
    return ModelAnswer(calls=[("Mood", {"mood": "good"})]) if turn.must_call else None


MODEL = RuleChatModel(rules=[on_mood, on_hello, on_any])


async def test_the_first_rule_that_answers_is_the_answer() -> None:
    assert (await MODEL.ainvoke([HumanMessage("hello")])).text == "Hello to you."
    assert MODEL.invoke([HumanMessage("any")]).text == "Any."


async def test_a_turn_that_no_rule_answers_is_asked_again() -> None:
    reply = await MODEL.ainvoke([HumanMessage("xyz")])
    assert reply.text == SAY_AGAIN
    assert "say that again" in reply.text


async def test_it_streams_word_by_word_with_one_id_and_counts_usage() -> None:
    chunks = [chunk async for chunk in MODEL.astream([HumanMessage("hello")])]
    assert [chunk.text for chunk in chunks if chunk.text] == ["Hello ", "to ", "you."]
    assert len({chunk.id for chunk in chunks}) == 1
    used = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    assert used == [{"input_tokens": 1, "output_tokens": 3, "total_tokens": 4}]
    assert [chunk.text for chunk in MODEL.stream([HumanMessage("any")]) if chunk.text] == ["Any."]


async def test_structured_output_comes_by_tool_call_streamed_or_not() -> None:
    structured = MODEL.with_structured_output(Mood)
    assert await structured.ainvoke([HumanMessage("hello")]) == Mood(mood="good")
    streamed = [each async for each in structured.astream([HumanMessage("hello")])]
    assert streamed[-1] == Mood(mood="good")


async def test_bound_tools_are_known_to_the_rules_and_may_be_left_alone() -> None:
    reply = await MODEL.bind_tools([Mood]).ainvoke([HumanMessage("hello")])
    assert (reply.text, reply.tool_calls) == ("Hello to you.", [])


def test_a_turn_is_seen_as_question_and_answer() -> None:
    turn = ModelTurn(
        [
            AIMessage("Who are you?"),
            HumanMessage("anna"),
            AIMessage("One."),
            AIMessage("Two?"),
            HumanMessage("yes"),
            HumanMessage("please"),
        ]
    )
    assert turn.exchanges == [("Who are you?", "anna"), ("One. Two?", "yes please")]
    assert (turn.asked, turn.heard, turn.result, turn.opening) == (
        "One. Two?",
        "yes please",
        None,
        False,
    )
    result = ToolMessage("done", tool_call_id="1")
    assert ModelTurn([*turn.messages, result]).result == result
    assert ModelTurn([]).opening


def test_rules_answer_unless_a_key_or_a_server_is_set() -> None:
    none = ChatModelSettings(_env_file=None, openai_api_key=None, openai_base_url=None)
    assert none.offline
    assert isinstance(chat_model([], none), RuleChatModel)
    local = ChatModelSettings(_env_file=None, openai_base_url="http://127.0.0.1:9/v1", model="tiny")
    assert not local.offline
    assert type(chat_model([], local)).__name__ == "ChatOpenAI"
    forced = ChatModelSettings(
        _env_file=None, openai_base_url="http://127.0.0.1:9/v1", providers="offline"
    )
    assert forced.offline


def test_in_production_rules_never_answer_for_a_missing_key() -> None:
    settings = ChatModelSettings(
        _env_file=None, openai_api_key=None, openai_base_url=None, providers="production"
    )
    with pytest.raises(ValueError, match="needs OPENAI_API_KEY"):
        chat_model([], settings)


def test_a_wrong_setting_fails_before_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTWORD_CHAT_TEMPERATURE", "hot")
    with pytest.raises(ValidationError, match="LASTWORD_CHAT_TEMPERATURE"):
        ChatModelSettings(_env_file=None)
