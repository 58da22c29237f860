"""A call in a room, from what both sides reported, in the terms of its transcript."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lastword.events import Event
from lastword.testing.levels.room_call import judged, out_of_reach, was_misheard, with_intents
from lastword.testing.replay import Manner
from lastword.testing.stage.verdict import CallFacts
from lastword.testing.transcripts.transcript_file import read_transcript
from tests.fakes.an_event import an_event

TEXT = """turns:
  - agent: Good day.
  - caller: Bye.
  - agent: "Thank you, and goodbye."
    ended: {reason: done}
  - caller: Oh wait.
    over: thank you
  - agent: Yes?
    state: {step: 2}
  - silence: 5
  - agent: Are you there?
  - hangs_up: true
ended: {ended_by: caller}
"""


def spoken(began: float, seconds: float, words: str, **fields: Any) -> Event:
    return an_event("agent_said", began + seconds, seconds=seconds, words=words, **fields)


def answered(at: float, *nodes: str, **fields: Any) -> Event:
    return an_event("graph_answered", at, nodes=list(nodes), **fields)


ENDED = {"ended_by": "caller", "reason": "caller_hung_up", "outcome": None}
ENDING = {"ended_by": "graph", "reason": "done", "outcome": None, "source": "node"}
CALLER = [
    {"event": "line_started", "line": 0, "text": "Bye.", "t": 3.0},
    {"event": "line_finished", "line": 0, "text": "Bye.", "t": 4.0},
    {"event": "line_started", "line": 1, "text": "Oh wait.", "t": 7.0},
    {"event": "line_finished", "line": 1, "text": "Oh wait.", "t": 8.0},
    {"event": "line_started", "line": 3, "text": "", "t": 20.0},
]
WORKER = [
    answered(0.5, "greet"),
    spoken(1.0, 1.0, "Good day."),
    answered(4.5, "end"),
    an_event("ending", 4.6, **ENDING),
    an_event("ending_cancelled", 7.5),
    spoken(5.0, 2.5, "Thank you, and", interrupted=True),
    answered(8.5, "talk", state={"step": 2}),
    spoken(9.0, 1.0, "Yes?"),
    an_event("graph_told", 15.0, kind="silence"),
    answered(15.1, "ask"),
    spoken(15.5, 1.0, "Are you there?"),
    an_event("hanging_up", 20.1),
    an_event("call_ended", 20.2, **ENDED),
]


def facts(worker: list[Event], **fields: Any) -> CallFacts:
    given: dict[str, Any] = {"caller": CALLER, "room_left": False, **fields}
    began = datetime(2026, 11, 21, tzinfo=UTC)
    return CallFacts({}, began, worker=worker, folder=Path(), speech=Path(), **given)


def written(folder: Path, text: str = TEXT) -> Path:
    path = folder / "call.yaml"
    path.write_text(text)
    return path


def test_each_answer_belongs_to_what_the_caller_did_before_it(tmp_path: Path) -> None:
    text = TEXT.replace(", and goodbye", "")
    done = judged(read_transcript(written(tmp_path, text)), facts(WORKER))
    assert done.faults == []
    replies = [played.reply for played in done.played]
    assert [reply.said for reply in replies] == [
        "Good day.",
        "Thank you,",
        "Yes?",
        "Are you there?",
        "",
    ]
    assert [list(reply.nodes) for reply in replies] == [["greet"], ["end"], ["talk"], ["ask"], []]
    assert [reply.end.reason if reply.end else None for reply in replies] == [
        None,
        "done",
        None,
        None,
        "caller_hung_up",
    ]
    assert [reply.seconds for reply in replies] == [0.0, 1.0, 1.0, 0.0, 0.0]
    assert done.call is not None
    assert done.call.end is not None
    assert done.call.end.source is None, "the ending that was called off is not the call's"


async def test_a_judge_looks_at_the_answers_of_a_call_that_is_else_as_written(
    tmp_path: Path,
) -> None:
    asked: list[tuple[str, str]] = []

    async def judge(said: str, intent: str) -> str:
        asked.append((said, intent))
        return "" if intent == "greets" else "It does not."

    text = TEXT.replace(", and goodbye", "").replace("Good day.", "Good day.\n    intent: greets")
    text = text.replace("Yes?", "Yes?\n    intent: asks for the time")
    manner = Manner(judge=judge)
    transcript = read_transcript(written(tmp_path, text))
    done = await with_intents(judged(transcript, facts(WORKER)), manner)
    assert asked == [("Good day.", "greets"), ("Yes?", "asks for the time")]
    [fault] = done.faults
    assert (fault.line, fault.field, fault.why) == (9, "intent", "It does not.")
    assert list(done.played[2].faults) == [fault]
    asked.clear()
    broken = await with_intents(judged(transcript, facts(WORKER, room_left=True)), manner)
    assert len(broken.faults) == 1
    assert asked == []


def test_a_wrong_answer_is_a_fault_of_its_line(tmp_path: Path) -> None:
    done = judged(read_transcript(written(tmp_path)), facts(WORKER))
    assert [(fault.line, fault.field) for fault in done.faults] == [(4, "agent")]


def test_a_call_that_never_came_to_a_turn_says_how_it_ended(tmp_path: Path) -> None:
    text = TEXT.replace(", and goodbye", "")
    done = judged(read_transcript(written(tmp_path, text)), facts(WORKER, caller=CALLER[:2]))
    [fault] = done.faults
    assert fault.line == 6
    assert fault.why == "the call never reached this turn, ended by caller: caller_hung_up"


def test_a_call_that_is_still_open_after_its_last_turn_is_left_by_the_caller(
    tmp_path: Path,
) -> None:
    text = "turns:\n- agent: Good day.\n- caller: Hello.\n- agent: Yes?\nended: false\n"
    caller = [
        {"event": "line_started", "line": 0, "text": "Hello.", "t": 3.0},
        {"event": "line_started", "line": 1, "text": "", "t": 9.0},
    ]
    worker = [
        spoken(1.0, 1.0, "Good day."),
        spoken(5.0, 1.0, "Yes?"),
        an_event("hanging_up", 9.1),
        an_event("call_ended", 9.2, **ENDED),
    ]
    done = judged(read_transcript(written(tmp_path, text)), facts(worker, caller=caller))
    assert done.faults == []
    assert done.call is not None
    assert (done.call.end, done.call.hang_ups) == (None, 0)


def test_words_over_which_the_caller_hangs_up_are_those_that_were_read(tmp_path: Path) -> None:
    text = "turns:\n- agent: Good\n- hangs_up: true\n  over: good\nended: {ended_by: caller}\n"
    caller = [
        {"event": "line_started", "line": 0, "text": "", "t": 3.0},
        {"event": "agent_text", "text": "Good day to", "segment": "one", "t": 3.1},
    ]
    worker = [an_event("hanging_up", 3.2), an_event("call_ended", 3.3, **ENDED)]
    done = judged(read_transcript(written(tmp_path, text)), facts(worker, caller=caller))
    assert done.faults == []


@pytest.mark.parametrize(("heard", "misheard"), [("hello", False), ("yellow", True), ("", True)])
def test_a_caller_who_was_misheard_is_known(tmp_path: Path, heard: str, *, misheard: bool) -> None:
    text = "turns:\n- caller: Hello.\n- agent: Yes?\n"
    caller = [{"event": "line_started", "line": 0, "text": "Hello.", "t": 3.0}]
    worker = [
        spoken(1.0, 1.0, "Good day."),
        an_event("caller_said", 4.0, words=heard),
        spoken(5.0, 1.0, "Pardon?"),
    ]
    done = judged(read_transcript(written(tmp_path, text)), facts(worker, caller=caller))
    assert not done.passed
    assert was_misheard(done) is misheard


def test_written_answers_that_no_model_was_asked_for_are_a_fault(tmp_path: Path) -> None:
    text = "turns:\n- agent: Good day.\n  model: [Good day., Never.]\n"
    worker = [answered(0.5, "greet", left=1), spoken(1.0, 1.0, "Good day.")]
    done = judged(read_transcript(written(tmp_path, text)), facts(worker, caller=[]))
    assert [fault.field for fault in done.faults] == ["model"]


def test_a_room_that_is_left_behind_is_a_fault(tmp_path: Path) -> None:
    text = TEXT.replace(", and goodbye", "")
    done = judged(read_transcript(written(tmp_path, text)), facts(WORKER, room_left=True))
    assert [fault.why for fault in done.faults] == ["the room is still on the server"]


@pytest.mark.parametrize(
    ("turn", "reason"),
    [
        ("- caller: Hello.", None),
        ("- voicemail: Please leave a message.", "answering machine"),
        ("- limit_near: 30", "maximum duration"),
        ("- time_up: true", "maximum duration"),
    ],
)
def test_what_a_room_cannot_do_is_said_before(
    tmp_path: Path, turn: str, reason: str | None
) -> None:
    why = out_of_reach(read_transcript(written(tmp_path, f"turns:\n{turn}\n")))
    assert (why is None) if reason is None else (reason in (why or ""))
