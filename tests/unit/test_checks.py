"""What is expected of an answer and of a call, against what was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from lastword.testing.checks import check_call, check_reply
from lastword.testing.reply import End, Reply, ToolUse, WholeCall
from lastword.testing.transcripts.transcript import AgentTurn, Ended, Transcript


class Visit(BaseModel):
    """A value of a graph's state that is no plain data."""

    day: str


CONFIRMED = End("graph", "confirmed", {"id": 7, "slots": [1, 2]}, "node")
LEFT = End("caller", "caller_hung_up")
REPLY = Reply(
    said="Thank you, Anna. Goodbye!",
    nodes=["understand", "confirm", "end"],
    tools=[ToolUse("book", {"slot": "ten", "customer": "Anna"}), ToolUse("log", {})],
    state={"stage": "done", "visit": Visit(day="Monday"), "offered": ("a", "b"), "none": None},
    end=CONFIRMED,
    is_over=True,
    seconds=1.5,
)

GOOD: list[dict[str, Any]] = [
    {},
    {"agent": "thank you, Anna ... goodbye"},
    {"says": "goodbye"},
    {"matches": "thank (you|God)"},
    {"never_says": "see you"},
    {"nodes": ["...", "end"]},
    {"tools": [{"book": {"slot": "ten"}}, "log"]},
    {"tools": [{"book": None}, {"log": {}}]},
    {"state": {"stage": "done", "visit": {"day": "Monday"}, "offered": ["a", "b"]}},
    {"state": {"stage": "..."}},
    {"ended": True},
    {"ended": {"reason": "confirmed", "ended_by": "graph", "source": "node", "after": "goodbye"}},
    {"ended": {"outcome": {"id": 7}}},
    {"at_most": {"words": 4, "seconds": 2}},
]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"agent": "thank you"}, "agent"),
    ({"says": ["goodbye", "see you"]}, "says"),
    ({"matches": "^goodbye"}, "matches"),
    ({"never_says": "Goodbye"}, "never_says"),
    ({"nodes": ["understand", "end"]}, "nodes"),
    ({"tools": ["book"]}, "tools"),
    ({"tools": ["log", "book"]}, "tools"),
    ({"tools": [{"book": {"slot": "nine"}}, "log"]}, "tools"),
    ({"tools": []}, "tools"),
    ({"state": {"stage": "open"}}, "state"),
    ({"state": {"visit": {"day": "Friday"}}}, "state"),
    ({"state": {"offered": ["a"]}}, "state"),
    ({"state": {"none": "..."}}, "state"),
    ({"state": {"missing": 1}}, "state"),
    ({"open": True}, "open"),
    ({"ended": False}, "ended"),
    ({"ended": {"reason": "cancelled"}}, "ended.reason"),
    ({"ended": {"ended_by": "caller"}}, "ended.ended_by"),
    ({"ended": {"source": "token"}}, "ended.source"),
    ({"ended": {"outcome": {"id": 8}}}, "ended.outcome"),
    ({"ended": {"after": "see you"}}, "ended.after"),
    ({"at_most": {"words": 3}}, "at_most.words"),
    ({"at_most": {"seconds": 1}}, "at_most.seconds"),
]


@pytest.mark.parametrize("expected", GOOD, ids=str)
def test_an_answer_is_as_it_is_written(expected: dict[str, Any]) -> None:
    assert check_reply(AgentTurn.model_validate(expected), REPLY) == []


@pytest.mark.parametrize(("expected", "field"), BAD, ids=str)
def test_a_fault_names_the_field_and_its_line(expected: dict[str, Any], field: str) -> None:
    [fault] = check_reply(AgentTurn.model_validate({**expected, "line": 9}), REPLY)
    assert (fault.field, fault.line) == (field, 9)


def test_a_call_that_goes_on_has_not_ended() -> None:
    open_ = Reply(said="Yes?")
    assert [one.field for one in check_reply(AgentTurn(ended=True), open_)] == ["ended"]
    faults = check_reply(AgentTurn(ended=Ended(reason="x", after="y")), open_)
    assert [one.why for one in faults] == ["the call should end here, but it goes on"]
    assert check_reply(AgentTurn(open=True), open_) == []


def test_a_fault_shows_both_as_a_diff() -> None:
    [fault] = check_reply(AgentTurn(nodes=["understand", "cancel", "end"]), REPLY)
    assert fault.diff() == ["  understand", "- cancel", "+ confirm", "  end"]


def whole(*replies: Reply, end: End | None = CONFIRMED, hang_ups: int = 1) -> WholeCall:
    return WholeCall(replies, end, hang_ups)


@pytest.mark.parametrize(
    ("expected", "call", "fields"),
    [
        ({"ended": {"reason": "confirmed", "after": "goodbye"}}, whole(REPLY), []),
        ({"ended": {"after": "goodbye"}}, whole(REPLY, Reply(end=CONFIRMED, is_over=True)), []),
        ({"ended": False}, whole(Reply(), end=None, hang_ups=0), []),
        ({}, whole(REPLY), []),
        ({"ended": False}, whole(REPLY), ["ended"]),
        ({"ended": True}, whole(Reply(), end=None, hang_ups=0), ["ended"]),
        ({"ended": {"reason": "cancelled"}}, whole(REPLY), ["ended.reason"]),
        ({"never_says": "goodbye"}, whole(REPLY), ["never_says"]),
        ({}, whole(REPLY, hang_ups=2), ["ended"]),
        ({}, whole(REPLY, hang_ups=0), ["ended"]),
        (
            {"ended": {"after": "goodbye"}},
            whole(replace(REPLY, is_over=False), Reply(end=LEFT, is_over=True), end=LEFT),
            ["ended.after"],
        ),
    ],
)
def test_a_call_is_checked_as_a_whole(
    expected: dict[str, Any], call: WholeCall, fields: list[str]
) -> None:
    transcript = Transcript.model_validate({"turns": [], **expected})
    assert [fault.field for fault in check_call(transcript, call)] == fields


def test_a_pattern_that_tries_everything_is_a_fault_that_names_it() -> None:
    expected = AgentTurn(line=7, matches=["nothing", "(a|aa)+$", "x"])
    faults = check_reply(expected, Reply(said="a" * 60 + "!"))
    assert [(one.line, one.field, one.expected) for one in faults] == [
        (7, "matches", "nothing"),
        (7, "matches", ""),
    ]
    assert faults[1].why.startswith("the pattern '(a|aa)+$' takes more than 1 s")
