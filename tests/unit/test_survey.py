"""The survey, typed: it ends with a token in the model's stream."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphs.rule_model import RuleChatModel
from graphs.survey import graph as survey
from graphs.survey.rules import RULES
from lastword.signals import Keypad
from tests.fakes.conversation import Conversation, ended


@pytest.fixture
def call(tmp_path: Path) -> Conversation:
    return Conversation(survey.build(RuleChatModel(rules=RULES)), tmp_path)


async def test_three_answers_are_recorded_and_the_goodbye_carries_the_token(
    call: Conversation,
) -> None:
    last = await call.talk("Yes.", "I would say four.", "The music was loud.", "Yes, you may.")
    assert last.nodes == ["interview", "tools", "interview"]
    assert last.said.endswith("Goodbye!<end>")
    answers = {"rating": "4", "improvement": "the music was loud", "contact": "yes"}
    assert await call.store.survey_answers("call-1") == answers
    assert last.ending == {"reason": "completed", "outcome": {"answers": answers}}
    assert [ended(turn) for turn in call.turns] == [False, False, False, False, True]


async def test_a_no_is_an_answer_too(call: Conversation) -> None:
    last = await call.talk("Sure.", "Two.", "Nothing.", "No, I would rather not.")
    assert last.ending is not None
    assert last.ending["reason"] == "completed"
    assert (await call.store.survey_answers("call-1"))["contact"] == "no"


@pytest.mark.parametrize("line", ["No.", "No, I do not have time.", "I'm not interested.", "Bye."])
async def test_declining_ends_the_call(call: Conversation, line: str) -> None:
    last = await call.talk(line)
    assert ended(last)
    assert last.nodes == ["interview"]
    assert last.ending == {"reason": "declined", "outcome": {"answers": {}}}
    assert await call.store.survey_answers("call-1") == {}


async def test_stopping_in_between_keeps_what_was_answered(call: Conversation) -> None:
    last = await call.talk("Yes.", "Five.", "I have to go now.")
    assert last.ending == {"reason": "stopped", "outcome": {"answers": {"rating": "5"}}}


async def test_a_rating_can_be_corrected_in_the_next_turn(call: Conversation) -> None:
    turn = await call.talk("Yes.", "For.", "No, I said five.")
    assert turn.said.startswith("Five, thank you.")
    assert await call.store.survey_answers("call-1") == {"rating": "5"}


@pytest.mark.parametrize(
    ("lines", "asked"),
    [
        (["Okay."], "How was it"),
        (["Hmm."], "May I ask you"),
        (["Yes.", "Quite nice."], "How was it"),
        (["Yes.", "Ten."], "How was it"),
        (["Yes.", "Thanks."], "How was it"),
        (["Yes.", "Three.", "Sorry, what?"], "What could we do better?"),
        (["Yes.", "Three.", "It was fine.", "Okay."], "May we contact you again?"),
    ],
)
async def test_an_unclear_answer_keeps_the_question_open(
    call: Conversation, lines: list[str], asked: str
) -> None:
    turn = await call.talk(*lines)
    assert asked in turn.said
    assert not ended(turn)


async def test_three_unclear_answers_in_a_row_end_the_call(call: Conversation) -> None:
    last = await call.talk("Yes.", "Blue.", "Green.", "Red.")
    assert ended(last)
    assert all("say that again" in turn.said for turn in call.turns[2:4])


@pytest.mark.parametrize("keys", ["4", "4#"])
async def test_a_key_from_one_to_five_is_a_rating_where_one_is_asked_for(
    call: Conversation, keys: str
) -> None:
    await call.talk("Yes.")
    turn = await call.happens(Keypad(kind="keypad", keys=keys))
    assert turn.nodes == ["pressed", "interview", "tools", "interview"]
    assert turn.said.startswith("Four, thank you.")
    assert await call.store.survey_answers("call-1") == {"rating": "4"}


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        ([], "4"),
        (["Yes."], "0"),
        (["Yes."], "6"),
        (["Yes."], "44"),
        (["Yes."], "#"),
        (["Yes.", "Two."], "4"),
    ],
)
async def test_any_other_key_is_none(call: Conversation, lines: list[str], keys: str) -> None:
    before = await call.talk(*lines)
    turn = await call.happens(Keypad(kind="keypad", keys=keys))
    assert turn.nodes == ["in_words"]
    assert turn.said.endswith(before.said.split(". ")[-1])


async def test_what_is_answered_is_not_asked_again_after_the_goodbye(call: Conversation) -> None:
    await call.talk("Yes.", "Two.", "Nothing.", "Yes.")
    turn = await call.say("Wait, I said three, not two.")
    assert turn.said == "Three, thank you. Is there anything else?"
    assert not ended(turn)
    last = await call.say("No.")
    assert last.ending is not None
    assert last.ending["outcome"]["answers"]["rating"] == "3"


async def test_who_comes_back_from_a_goodbye_is_asked_the_question_that_was_open(
    call: Conversation,
) -> None:
    await call.talk("Yes.", "Five.", "I have to go.")
    assert "What could we do better?" in (await call.say("Oh, I can stay.")).said
