"""The sample graphs and what happens to a call: silence, little time, a goodbye spoken over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphs.appointment import graph as appointment
from graphs.appointment.rules import RULES as APPOINTMENT_RULES
from graphs.call_events import STILL_THERE, TIME_IS_SHORT
from graphs.call_signals import CallEvent, EndingCancelled, LimitNear, Silence
from graphs.reception import graph as reception
from graphs.reception.rules import RULES as RECEPTION_RULES
from graphs.rule_model import RuleChatModel
from graphs.survey import graph as survey
from graphs.survey.rules import RULES as SURVEY_RULES
from tests.fakes.conversation import Conversation, ended

GRAPHS: dict[str, Any] = {
    "appointment": appointment.build(RuleChatModel(rules=APPOINTMENT_RULES)),
    "reception": reception.build(RuleChatModel(rules=RECEPTION_RULES)),
    "survey": survey.build(RuleChatModel(rules=SURVEY_RULES)),
}
SILENCE = Silence(kind="silence", count=1, of=2, seconds=10.0)
NEAR = LimitNear(kind="limit_near", seconds_left=30.0)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize(("event", "said"), [(SILENCE, STILL_THERE), (NEAR, TIME_IS_SHORT)])
async def test_p11_each_sample_graph_says_something_to_it_without_a_model(
    name: str, event: CallEvent, said: str, tmp_path: Path
) -> None:
    call = Conversation(GRAPHS[name], tmp_path)
    await call.open()
    turn = await call.happens(event)
    assert turn.said.startswith(said)
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
