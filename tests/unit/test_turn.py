"""What of the chat history goes into the graph (P4, P5)."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from livekit.agents.llm import ChatContext, ChatMessage, FunctionCall

from lastword.bridge.chat_items import RunPointer
from lastword.bridge.turn import HeardMessage, corrections, read_turn

ENDING = {"reason": "completed", "farewell": "Goodbye.", "before": "before"}
CALL = [{"name": "book", "args": {}, "id": "t"}]


def pointer(checkpoint_id: str, *spoken: tuple[str, int], **more: Any) -> RunPointer:
    base: RunPointer = {
        "checkpoint_id": checkpoint_id,
        "spoken": list(spoken),
        "told": {},
        "nodes": [],
        "failures": 0,
    }
    return base | more  # type: ignore[return-value]


def agent(text: str, at: RunPointer | None = None, *, cut: bool = False) -> ChatMessage:
    extra = {"lastword": at} if at else {}
    return ChatMessage(role="assistant", content=[text], interrupted=cut, extra=extra)


def caller(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=[text], id=f"u-{text}")


def test_p5_a_turn_sends_only_what_is_new() -> None:
    history = ChatContext([agent("Hello.", pointer("c1", ("m1", 0))), caller("Hi.")])
    turn = read_turn(history, remembers=True)
    assert turn.checkpoint_id == "c1"
    assert [(m.id, m.content) for m in turn.new] == [("u-Hi.", "Hi.")]
    assert turn.heard == []


def test_p5_without_a_checkpointer_the_whole_history_is_sent() -> None:
    history = ChatContext([caller("One."), agent("Two.", pointer("c1")), caller("Three.")])
    turn = read_turn(history, remembers=False)
    assert turn.checkpoint_id is None
    assert [m.content for m in turn.new] == ["One.", "Two.", "Three."]


def test_p5_what_was_said_outside_the_graph_is_new_to_it() -> None:
    history = ChatContext([agent("Hello.", pointer("c1")), agent("Still there?"), caller("Yes.")])
    new = read_turn(history, remembers=True).new
    assert [type(m) for m in new] == [AIMessage, HumanMessage]


def test_p5_an_interrupted_answer_is_divided_among_its_messages() -> None:
    spoken = [("m1", 0), ("m2", 4), ("m3", 12)]
    history = ChatContext([agent("One. Two a", pointer("c1", *spoken), cut=True), caller("Stop.")])
    turn = read_turn(history, remembers=True)
    assert turn.heard == [
        HeardMessage("m1", "One.", whole=True),
        HeardMessage("m2", "Two a", whole=False),
        HeardMessage("m3", "", whole=False),
    ]


def test_p5_corrections_cut_remove_and_add() -> None:
    heard = [
        HeardMessage("whole", "One.", whole=True),
        HeardMessage("cut", "Two a", whole=False),
        HeardMessage("unheard", "", whole=False),
        HeardMessage("tool", "", whole=False),
        HeardMessage("lost", "Half a wo", whole=False),
        HeardMessage("never", "", whole=False),
    ]
    state = [
        AIMessage("One.", id="whole"),
        AIMessage("Two and three.", id="cut"),
        AIMessage("Four.", id="unheard"),
        AIMessage("Five.", id="tool", tool_calls=CALL),
    ]
    changes = corrections(heard, state)
    assert [(type(m), m.id, m.content) for m in changes] == [
        (AIMessage, "cut", "Two a"),
        (RemoveMessage, "unheard", ""),
        (AIMessage, "tool", ""),
        (AIMessage, "lost", "Half a wo"),
    ]
    tool = changes[2]
    assert isinstance(tool, AIMessage)
    assert tool.tool_calls, "the tool's answer still has its call"


def test_p3_after_a_cancelled_ending_the_graph_goes_on_from_before_its_end_node() -> None:
    at = pointer("after", ("m1", 0), ending=ENDING)
    call = FunctionCall(call_id="e", name="end_call", arguments="{}", extra={"lastword": at})
    history = ChatContext([agent("Good", at, cut=True), call, caller("Wait.")])
    turn = read_turn(history, remembers=True)
    assert turn.checkpoint_id == "before"
    assert turn.heard == [HeardMessage("m1", "Good", whole=False)]
    assert [m.content for m in turn.new] == ["Wait."]


def test_p3_an_ending_without_words_can_be_cancelled_too() -> None:
    at = pointer("after", ending=ENDING)
    call = FunctionCall(call_id="e", name="end_call", arguments="{}", extra={"lastword": at})
    turn = read_turn(ChatContext([call, caller("Wait.")]), remembers=True)
    assert turn.checkpoint_id == "before"
    assert [m.content for m in turn.new] == ["Wait."]


def test_p5_what_a_run_was_told_that_left_no_checkpoint_is_told_again() -> None:
    lost = pointer("", failures=1) | {"checkpoint_id": None}
    history = ChatContext(
        [
            agent("Hello.", pointer("c1")),
            caller("Book Tuesday."),
            agent("Sorry, again?", lost),
            caller("At ten."),
        ]
    )
    turn = read_turn(history, remembers=True)
    assert turn.checkpoint_id == "c1"
    assert [m.content for m in turn.new] == ["Book Tuesday.", "At ten."]
    assert turn.failures == 1


def test_p5_what_a_failed_run_said_before_it_failed_was_heard() -> None:
    at = pointer("c1", ("m1", 0), ("", 11), failures=1)
    turn = read_turn(ChatContext([agent("Let me see. Sorry.", at)]), remembers=True)
    assert turn.heard == [HeardMessage("m1", "Let me see.", whole=True)]


def test_p4_words_that_were_spelled_anew_are_told_again_under_the_same_id() -> None:
    at = pointer("c1", ("m1", 0), told={"u-Hi, there.": "hi there", "u-Yes.": "Yes."})
    history = ChatContext([caller("Hi, there."), caller("Yes."), agent("Hello.", at)])
    turn = read_turn(history, remembers=True)
    assert [(m.id, m.content) for m in turn.respelled] == [("u-Hi, there.", "Hi, there.")]
    assert turn.new == []
