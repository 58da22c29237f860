"""The front desk, typed: it ends through a tool, in one model call."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, ToolMessage

from graphs.reception import graph as reception
from graphs.reception.rules import RULES
from graphs.rule_model import ModelAnswer, ModelTurn, RuleChatModel
from tests.fakes.conversation import Conversation, ended

NUMBER = "5551234567"


@pytest.fixture
def call(tmp_path: Path) -> Conversation:
    return Conversation(reception.build(RuleChatModel(rules=RULES)), tmp_path, caller=NUMBER)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("When are you open on Thursday?", "on Thursday from eleven o'clock to seven o'clock"),
        ("when do you close on friday", "on Friday from nine o'clock to one o'clock"),
        ("Are you open on Sunday?", "closed on Sunday"),
        ("What are your opening hours?", "Monday to Wednesday from nine o'clock to five o'clock"),
    ],
)
async def test_opening_hours_come_from_the_store(call: Conversation, line: str, said: str) -> None:
    turn = await call.talk(line)
    assert turn.nodes == ["desk", "tools", "desk"]
    assert said in turn.said


@pytest.mark.parametrize("line", ["No, that's all.", "Goodbye.", "No thank you.", "no bye"])
async def test_the_end_tool_ends_the_call_in_one_model_call(call: Conversation, line: str) -> None:
    turn = await call.talk("When are you open on Monday?", line)
    assert turn.nodes == ["desk", "tools"]
    ending = {"type": "lastword.end_call", "reason": "completed", "outcome": {"written": []}}
    assert turn.signals == [ending]
    assert turn.ending == {"reason": "completed", "outcome": {"written": []}}
    messages = (await call.state())["messages"]
    assert isinstance(messages[-2], ToolMessage)
    assert isinstance(messages[-1], AIMessage)
    assert messages[-1].text.endswith("Goodbye!")
    assert turn.said == messages[-1].text


@pytest.mark.parametrize("line", ["Thanks.", "Okay.", "Thank you very much.", "I see, all right."])
async def test_thanks_and_okay_do_not_end_the_call(call: Conversation, line: str) -> None:
    turn = await call.talk("When are you open on Monday?", line)
    assert not ended(turn)
    assert turn.said


async def test_a_message_is_read_back_and_then_written(call: Conversation) -> None:
    read_back = await call.talk(
        "I want to leave a message.", "For the doctor.", "I will be late.", "My name is Anna."
    )
    assert read_back.said == (
        "A message for The Doctor, from Anna: i will be late. Shall I write that down?"
    )
    assert await call.store.messages() == []
    written = await call.say("Yes, please.")
    assert written.nodes == ["desk", "tools", "desk"]
    (message,) = await call.store.messages()
    assert (message["caller"], message["text"]) == ("Anna", "i will be late")
    last = await call.say("No, that is all.")
    assert last.ending == {"reason": "completed", "outcome": {"written": ["message 1"]}}


async def test_the_recipient_may_be_in_the_wish(call: Conversation) -> None:
    turn = await call.talk("Can I leave a message for Doctor Weber?", "I am late.", "Anna Lindt")
    assert turn.said.startswith("A message for Doctor Weber, from Anna Lindt: i am late.")


@pytest.mark.parametrize("line", ["No, that is wrong.", "Okay.", "Maybe later."])
async def test_what_is_not_confirmed_is_not_written(call: Conversation, line: str) -> None:
    lines = ("I want to leave a message.", "For billing.", "I paid.", "Anna.", line)
    turn = await call.talk(*lines)
    assert not ended(turn)
    assert await call.store.messages() == []


async def test_an_unclear_answer_to_the_read_back_can_still_become_a_yes(
    call: Conversation,
) -> None:
    lines = ("I want to leave a message.", "For billing.", "I paid.", "Anna.", "Hmm.", "Yes.")
    await call.talk(*lines)
    assert len(await call.store.messages()) == 1


async def test_a_caller_who_wants_a_department_is_called_back(call: Conversation) -> None:
    offer = await call.talk("Can I speak to billing, please?")
    assert "I can not put you through" in offer.said
    read_back = await call.say("My name is Anna Lindt.")
    assert "billing calls Anna Lindt back, on five five five, one two three" in read_back.said
    assert await call.store.callbacks() == []
    await call.say("Yes, please.")
    (row,) = await call.store.callbacks()
    assert (row["department"], row["caller"], row["number"]) == ("billing", "Anna Lindt", NUMBER)


async def test_a_caller_without_a_number_is_asked_for_one(tmp_path: Path) -> None:
    call = Conversation(reception.build(RuleChatModel(rules=RULES)), tmp_path)
    asked = await call.talk("I want to talk to the laboratory.", "Anna")
    assert asked.said.endswith("What number can we call you on?")
    assert "say that again" in (await call.say("the usual one")).said
    read_back = await call.say("five five five one two three four")
    assert "Shall I write that down?" in read_back.said
    await call.say("Yes.")
    assert [row["number"] for row in await call.store.callbacks()] == ["5551234"]


async def test_an_unknown_department_is_not_made_up(call: Conversation) -> None:
    turn = await call.talk("Can I speak to the manager?")
    assert turn.said.endswith("Who would you like?")
    assert "billing can call you back" in (await call.say("Billing.")).said


async def test_who_announces_one_more_thing_is_asked_for_it(call: Conversation) -> None:
    turn = await call.talk("When are you open?", "Oh wait, one more thing.")
    assert turn.said == "Of course. What can I do for you?"


async def test_three_answers_in_a_row_that_are_not_understood_end_the_call(
    call: Conversation,
) -> None:
    await call.open()
    turns = [await call.say(line) for line in ("Blue.", "Green.", "Red.")]
    assert all("say that again" in turn.said for turn in turns[:2])
    assert turns[-1].ending is not None
    assert turns[-1].ending["reason"] == "not_understood"


async def test_a_model_that_does_not_wait_for_the_yes_writes_nothing(tmp_path: Path) -> None:
    parts = {"recipient": "billing", "caller": "Anna", "text": "I paid"}

    def hasty(turn: ModelTurn) -> ModelAnswer | None:
        match turn.result:
            case None:
                return ModelAnswer(calls=[("take_message", parts)])
            case ToolMessage(name="take_message"):
                return ModelAnswer(calls=[("write_down", {})])
            case _:
                return ModelAnswer(turn.result.text)

    call = Conversation(reception.build(RuleChatModel(rules=[hasty])), tmp_path)
    turn = await call.say("Tell billing that I paid.")
    assert "has not confirmed yet" in turn.said
    assert await call.store.messages() == []


async def test_a_goodbye_beside_the_end_tool_is_not_said_twice(tmp_path: Path) -> None:
    call_end = ("end_call", {"farewell": "Goodbye!", "reason": "completed"})

    def talkative(_: ModelTurn) -> ModelAnswer:
        return ModelAnswer("Have a nice day. Goodbye!", calls=[call_end])

    call = Conversation(reception.build(RuleChatModel(rules=[talkative])), tmp_path)
    turn = await call.say("That is all.")
    assert turn.said == "Have a nice day. Goodbye!"
    assert ended(turn)
