"""The sample graphs and what happens to a call beside words: silence, keys, a machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START

from graphs.appointment import graph as appointment
from graphs.appointment.rules import RULES as APPOINTMENT_RULES
from graphs.call_events import GOODBYE_THEN, IN_WORDS, STILL_THERE, TIME_IS_SHORT, open_question
from graphs.reception import graph as reception
from graphs.reception.rules import RULES as RECEPTION_RULES
from graphs.rule_model import RuleChatModel
from graphs.survey import graph as survey
from graphs.survey.rules import RULES as SURVEY_RULES
from lastword.signals import (
    CallEvent,
    CallState,
    EndingCancelled,
    Keypad,
    LimitNear,
    Silence,
    Voicemail,
)
from tests.fakes.conversation import Conversation, ended

GRAPHS: dict[str, Any] = {
    "appointment": appointment.build(RuleChatModel(rules=APPOINTMENT_RULES)),
    "reception": reception.build(RuleChatModel(rules=RECEPTION_RULES)),
    "survey": survey.build(RuleChatModel(rules=SURVEY_RULES)),
}
SILENCE = Silence(kind="silence", count=1, of=2, seconds=10.0)
NEAR = LimitNear(kind="limit_near", seconds_left=30.0)
ONE = Keypad(kind="keypad", keys="1")
MACHINE = Voicemail(kind="voicemail", words="Leave a message after the tone.")


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize(
    ("event", "said"), [(SILENCE, STILL_THERE), (NEAR, TIME_IS_SHORT), (ONE, IN_WORDS)]
)
async def test_p11_each_sample_graph_says_something_to_it_without_a_model(
    name: str, event: CallEvent, said: str, tmp_path: Path
) -> None:
    call = Conversation(GRAPHS[name], tmp_path)
    question = (await call.open()).said.partition(". ")[2]
    turn = await call.happens(event)
    assert turn.said == f"{said} {question}"
    assert turn.model_streams in ([], turn.nodes), "no classifier was asked"
    assert not ended(turn)


async def test_p11_the_open_question_comes_with_it_so_that_a_yes_does_not_mislead(
    tmp_path: Path,
) -> None:
    call = Conversation(GRAPHS["appointment"], tmp_path, {"customer": "Anna Lindt"})
    await call.open()
    assert (await call.happens(SILENCE)).said == f"{STILL_THERE} Am I speaking with Anna Lindt?"
    assert (await call.say("Yes.")).nodes == ["understand", "remind"]


@pytest.mark.parametrize("whole", [True, False])
async def test_p3_who_has_heard_the_whole_goodbye_hears_no_second_one(
    whole: bool, tmp_path: Path
) -> None:
    call = Conversation(GRAPHS["appointment"], tmp_path, {"customer": "Anna Lindt"})
    goodbye = (await call.talk("Yes, this is Anna.", "Yes, that works for me.")).said
    heard = goodbye if whole else goodbye.split(".")[0]
    cancelled = EndingCancelled(
        kind="ending_cancelled", reason="confirmed", farewell=goodbye, heard=heard
    )
    await call.say("Who is calling?", cancelled)
    last = await call.say("No, that is all.")
    assert ended(last)
    assert (last.said == "Goodbye then!") == whole


@pytest.mark.parametrize("name", ["reception", "survey"])
@pytest.mark.parametrize("whole", [True, False])
async def test_p3_neither_does_who_has_heard_that_of_a_model(
    name: str, whole: bool, tmp_path: Path
) -> None:
    lines = {
        "reception": ["When are you open?", "No, that is all."],
        "survey": ["Yes.", "Five.", "Nothing.", "Yes."],
    }
    call = Conversation(GRAPHS[name], tmp_path)
    goodbye = (await call.talk(*lines[name])).said.removesuffix("<end>")
    heard = goodbye if whole else goodbye.split(".")[0]
    said = (await call.state())["messages"][-1]
    await call.graph.aupdate_state(call.config, {"messages": [AIMessage(heard, id=said.id)]})
    await call.say("Oh wait, one more thing.")
    last = await call.say("No, that is all.")
    assert ended(last)
    assert (last.said.removesuffix("<end>") == GOODBYE_THEN) == whole


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("opened", [True, False])
async def test_each_sample_graph_leaves_a_machine_after_one_short_message(
    name: str, opened: bool, tmp_path: Path
) -> None:
    call = Conversation(GRAPHS[name], tmp_path, {"customer": "Anna Lindt"})
    if opened:
        await call.open()
    turn = await call.happens(MACHINE)
    assert ended(turn)
    assert turn.ending is not None
    assert turn.ending["reason"] == "voicemail"
    assert "Goodbye!" in turn.said
    assert len(turn.said.split()) < 20
    assert not any(word in turn.said for word in ("Anna", "appointment", "visit", "Tuesday"))


@pytest.mark.parametrize("name", GRAPHS)
def test_the_way_from_the_start_to_each_node_for_an_event_is_drawn(name: str) -> None:
    drawn = {
        edge.target for edge in GRAPHS[name].compile().get_graph().edges if edge.source == START
    }
    assert drawn >= {"still_there", "hurry", "in_words", "voicemail"}


@pytest.mark.parametrize(
    ("said", "question"),
    [
        (["Hello. How can I help you?"], "How can I help you?"),
        (["Who is it for?", f"{STILL_THERE} Who is it for?"], "Who is it for?"),
        (["Who is it for?", STILL_THERE], "Who is it for?"),
        (["Who is it for?", "Sorry, I did not get that. Could you say that again, please?"],
         "Who is it for?"),
        (["Is it Anna? Can you come?", "It is on Monday."], "Can you come?"),
        (["Hello."], ""),
        ([], ""),
    ],
)  # fmt: skip
def test_the_open_question_is_the_last_that_asks_for_something_new(
    said: list[str], question: str
) -> None:
    messages = [one for text in said for one in (AIMessage(text), HumanMessage("Really?"))]
    assert open_question(CallState(messages=list(messages))) == question
