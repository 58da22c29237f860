"""The reminder call, typed: every way through it and every ending of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from graphs.appointment import graph as appointment
from graphs.appointment.rules import RULES
from graphs.appointment.state import AppointmentState, Intent, Picked, Stage
from graphs.appointment.steps import Step, next_step
from graphs.rule_model import RuleChatModel
from graphs.spoken_time import spoken_moment
from graphs.store import Appointment
from lastword.signals import CallPolicy, Voicemail
from tests.fakes.conversation import Conversation, ended

Call = Callable[..., Conversation]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    def make(**metadata: Any) -> Conversation:
        builder = appointment.build(RuleChatModel(rules=RULES))
        return Conversation(builder, tmp_path, metadata or {"customer": "Anna Lindt"})

    return make


async def status(conversation: Conversation) -> tuple[str, str]:
    anna = await conversation.store.appointment((await conversation.state())["appointment"]["id"])
    assert anna is not None
    return anna["status"], anna["starts_at"]


async def test_the_agent_speaks_first_and_asks_for_the_customer(call: Call) -> None:
    turn = await call().open()
    assert turn.nodes == ["greet"]
    assert turn.said.endswith("Am I speaking with Anna Lindt?")
    assert not ended(turn)


async def test_a_yes_to_the_reminder_confirms(call: Call) -> None:
    conversation = call()
    last = await conversation.talk("Yes, this is Anna.", "Yes, that works for me.")
    assert [turn.nodes for turn in conversation.turns] == [
        ["greet"],
        ["understand", "remind"],
        ["understand", "confirm", "end"],
    ]
    found, starts_at = await status(conversation)
    assert found == "confirmed"
    assert last.ending == {
        "reason": "confirmed",
        "outcome": {"appointment_id": 1, "starts_at": starts_at},
    }
    assert last.said.startswith("Thank you, Anna.")
    assert last.said.endswith("Goodbye!")


async def test_what_the_classifier_produces_is_never_streamed(call: Call) -> None:
    conversation = call()
    await conversation.talk("Yes.", "Yes, I will be there.")
    assert not any("understand" in turn.model_streams for turn in conversation.turns)
    assert conversation.turns[-1].model_streams == ["end"]


async def test_another_day_is_offered_read_back_and_booked(call: Call) -> None:
    conversation = call()
    free = await conversation.store.free_slots(3)
    offer = await conversation.talk("Yes.", "No, I need another day.")
    assert offer.nodes == ["understand", "pick", "offer"]
    read_back = await conversation.say("The second one, please.")
    assert read_back.nodes == ["understand", "pick", "read_back_slot"]
    assert spoken_moment(datetime.fromisoformat(free[1])) in read_back.said
    assert (await status(conversation))[0] == "booked"
    last = await conversation.say("Yes, please book it.")
    assert last.nodes == ["understand", "book", "end"]
    assert await status(conversation) == ("confirmed", free[1])
    assert last.ending == {
        "reason": "rescheduled",
        "outcome": {"appointment_id": 1, "starts_at": free[1]},
    }


async def test_a_wanted_weekday_and_time_is_looked_up(call: Call) -> None:
    conversation = call()
    await conversation.talk("Yes.", "Can we move it to Thursday?")
    state = await conversation.state()
    assert {datetime.fromisoformat(slot).weekday() for slot in state["offered"]} == {3}
    turn = await conversation.say("Friday at nine, please")
    assert turn.nodes == ["understand", "pick", "read_back_slot"]
    chosen = datetime.fromisoformat((await conversation.state())["chosen"])
    assert (chosen.weekday(), chosen.hour) == (4, 9)


async def test_a_day_on_which_nothing_is_free_is_said_to_be_so(call: Call) -> None:
    turn = await call().talk("Yes.", "Could I come on Sunday instead?")
    assert "nothing free on Sunday" in turn.said
    assert "Which one suits you?" in turn.said


async def test_none_of_the_slots_brings_other_slots(call: Call) -> None:
    conversation = call()
    await conversation.talk("Yes.", "I need a different time.")
    first = (await conversation.state())["offered"]
    await conversation.say("No, none of those.")
    second = (await conversation.state())["offered"]
    assert second
    assert second[0] > first[-1]


async def test_a_slot_taken_meanwhile_is_not_booked_twice(call: Call) -> None:
    conversation = call()
    await conversation.talk("Yes.", "I need another day.", "The first one.")
    chosen = (await conversation.state())["chosen"]
    omar = await conversation.store.next_appointment("Omar Haddad")
    assert omar is not None
    await conversation.store.move_appointment(omar["id"], chosen)
    turn = await conversation.say("Yes, do that.")
    assert turn.nodes == ["understand", "book", "pick", "offer"]
    assert "just been taken" in turn.said
    assert (await status(conversation))[0] == "booked"
    assert not ended(turn)


async def test_cancelling_is_read_back_before_it_is_written(call: Call) -> None:
    conversation = call()
    read_back = await conversation.talk("Yes.", "I want to cancel the appointment.")
    assert "Shall I cancel" in read_back.said
    assert (await status(conversation))[0] == "booked"
    last = await conversation.say("Yes, please cancel it.")
    assert last.nodes == ["understand", "cancel", "end"]
    assert (await status(conversation))[0] == "cancelled"
    assert last.ending is not None
    assert last.ending["reason"] == "cancelled"


@pytest.mark.parametrize("line", ["No, don't cancel it.", "No.", "Keep it, please."])
async def test_a_cancellation_that_is_not_confirmed_is_none(call: Call, line: str) -> None:
    conversation = call()
    turn = await conversation.talk("Yes.", "Please cancel it.", line)
    assert turn.nodes == ["understand", "remind"]
    assert (await status(conversation))[0] == "booked"


@pytest.mark.parametrize("line", ["No, you have the wrong number.", "No.", "She isn't here."])
async def test_somebody_else_ends_the_call_and_hears_no_details(call: Call, line: str) -> None:
    conversation = call()
    last = await conversation.talk(line)
    assert last.nodes == ["understand", "misdial", "end"]
    assert last.ending is not None
    assert last.ending["reason"] == "wrong_person"
    assert (await status(conversation))[0] == "booked"
    assert not any("appointment" in turn.said for turn in conversation.turns)


async def test_three_answers_in_a_row_that_are_not_understood_end_the_call(call: Call) -> None:
    conversation = call()
    await conversation.talk("Yes.")
    turns = [await conversation.say(line) for line in ("Okay.", "The weather.", "Thanks.")]
    assert [turn.nodes[-1] for turn in turns] == ["ask_again", "ask_again", "end"]
    assert all("say that again" in turn.said for turn in turns[:2])
    assert turns[-1].ending is not None
    assert turns[-1].ending["reason"] == "not_understood"
    assert (await status(conversation))[0] == "booked"


async def test_an_answer_that_is_understood_starts_the_count_anew(call: Call) -> None:
    lines = ("Okay.", "Okay.", "Could you say that again?", "Okay.", "Okay.", "Yes.")
    last = await call().talk(*lines)
    assert last.nodes == ["understand", "remind"]


@pytest.mark.parametrize(
    ("line", "node"),
    [
        ("Who is this?", "explain"),
        ("One moment, please.", "hold"),
        ("Pardon?", "repeat"),
        ("Thanks.", "ask_again"),
    ],
)
async def test_questions_keep_the_question_open(call: Call, line: str, node: str) -> None:
    conversation = call()
    turn = await conversation.talk(line)
    assert turn.nodes == ["understand", node]
    assert (await conversation.say("Yes.")).nodes == ["understand", "remind"]


@pytest.mark.parametrize("line", ["Okay.", "Thanks.", "Yes, maybe.", "Yes, Friday at nine."])
async def test_less_than_a_clear_yes_confirms_nothing(call: Call, line: str) -> None:
    conversation = call()
    turn = await conversation.talk("Yes.", line)
    assert not ended(turn)
    assert (await status(conversation))[0] == "booked"


async def test_the_appointment_of_the_dispatch_is_the_one_reminded_of(call: Call) -> None:
    turn = await call(appointment_id="2", customer="ignored").open()
    assert "Omar Haddad" in turn.said


async def test_with_no_metadata_the_next_appointment_is_taken(tmp_path: Path) -> None:
    builder = appointment.build(RuleChatModel(rules=RULES))
    conversation = Conversation(builder, tmp_path)
    following = await conversation.store.next_appointment()
    assert following is not None
    assert following["customer"] in (await conversation.open()).said


async def test_with_no_such_appointment_the_call_ends_at_once(call: Call) -> None:
    turn = await call(customer="Nobody Known").open()
    assert turn.nodes == ["greet", "end"]
    assert turn.ending == {"reason": "no_appointment", "outcome": {}}


async def test_a_caller_who_speaks_over_the_farewell_can_still_move_the_appointment(
    call: Call,
) -> None:
    conversation = call()
    await conversation.talk("Yes.", "Yes, I will come.")
    history = [each async for each in conversation.graph.aget_state_history(conversation.config)]
    conversation.config = next(each.config for each in history if each.next == ("end",))
    turn = await conversation.say("Wait, can I move it to another day?")
    assert turn.nodes == ["understand", "pick", "offer"]
    assert turn.ending is None


async def test_who_picks_up_after_the_machine_is_asked_what_was_open(call: Call) -> None:
    conversation = call()
    await conversation.open()
    last = await conversation.happens(Voicemail(kind="voicemail", words="Leave a message."))
    assert last.nodes == ["voicemail", "end"]
    assert last.ending is not None
    assert last.ending["outcome"]["appointment_id"] == 1
    turn = await conversation.say("Yes, this is Anna.")
    assert turn.nodes == ["understand", "remind"]
    assert (await status(conversation))[0] == "booked"


def test_every_way_from_understanding_that_is_drawn_is_taken_by_some_answer() -> None:
    anna = Appointment(id=1, customer="Anna", starts_at="2026-11-24T10:30:00", status="booked")
    asked = AppointmentState(messages=[], appointment=anna, chosen=anna["starts_at"])
    steps = {
        next_step(
            AppointmentState(**{**asked, "stage": stage, "unclear": unclear}),
            Picked(intent=intent, choice=None, day=None, time=None),
        )
        for stage in get_args(Stage)
        for intent in get_args(Intent)
        for unclear in (0, 2)
    }
    assert steps == set(get_args(Step))


def test_the_policy_names_the_end_node() -> None:
    assert isinstance(appointment.call_policy, CallPolicy)
    assert appointment.call_policy.end_node in appointment.graph.nodes
