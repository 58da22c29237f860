"""Turns that cannot be had as they are written are faults, at both levels alike (P10)."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import MessagesState, StateGraph

from lastword.graphs_config import CallGraph
from lastword.signals import CallPolicy
from lastword.testing.replay import Manner, Replayed, run_transcript
from lastword.testing.transcripts.transcript import Level
from lastword.testing.transcripts.transcript_file import read_transcript

HANGING_UP = "- caller: one\n- silence: 10\n"
"""The caller says nothing more, and the worker says that it is hanging up."""
KEPT = "- agent: That was number 2.\n  open: true\n"
CUT_AGAIN = "- agent: That was\n- caller: three\n  over: was\n- agent: That was number 3.\n"
"""The answer to words that have kept the call is spoken over too."""
BOTH = pytest.mark.parametrize("level", ["graph", "session"])


async def talk(state: MessagesState) -> dict[str, Any]:
    """Count what the caller has said; "bye" ends the call."""
    said = [message.text for message in state["messages"] if message.type == "human"]
    words = "Thank you, goodbye, and have a nice day. <end>" if said[-1:] == ["bye"] else ""
    return {"messages": [("ai", words or f"That was number {len(said)}.")]}


def talker(policy: CallPolicy | None = None, **compiled: Any) -> CallGraph:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("talk", talk)
    builder.set_entry_point("talk")
    policy = policy or CallPolicy(first_speaker="caller", silence_reminders=0)
    return CallGraph("talker", builder.compile(**compiled), policy)


async def had(folder: Path, turns: str, level: Level, graph: CallGraph | None = None) -> Replayed:
    path = folder / "call.yaml"
    await asyncio.to_thread(path.write_text, f"turns:\n{turns}")
    transcript = await asyncio.to_thread(read_transcript, path)
    async with asyncio.timeout(30):
        return await run_transcript(transcript, graph or talker(), Manner(level=level))


def faults(done: Replayed) -> list[tuple[int, str]]:
    return [(fault.line, fault.field) for fault in done.faults]


@BOTH
@pytest.mark.parametrize(
    ("turns", "found"),
    [
        ("- caller: one\n- caller: two\n  over: number 1\n- agent: That was number 2.\n", []),
        ("- caller: one\n- caller: two\n  over: never said\n", [(3, "over")]),
        ("- caller: one\n  over: never said\n", [(2, "over")]),
        ("- time_up: true\n- caller: one\n  over: never said\n", [(3, "over")]),
        ("- caller: bye\n- caller: one\n", [(3, "ended")]),
        ("- caller: bye\n- caller: thanks\n  over: goodbye\n", []),
        (
            "- caller: bye\n- caller: thanks\n  over: goodbye\n- caller: oh\n  over: nice day\n",
            [(5, "over")],
        ),
        (f"{HANGING_UP}- caller: okay\n  over: hear you\n{KEPT}", []),
        (f"{HANGING_UP}- caller: okay\n  over: hear you\n{CUT_AGAIN}", []),
        (f"- caller: bye\n- caller: oh wait\n  over: goodbye\n{CUT_AGAIN}", []),
        ("- caller: one\n- agent: That was\n  open: true\n- hangs_up: true\n  over: was\n", []),
        (f"{HANGING_UP}- hangs_up: true\n  over: hear you\n", []),
        (f"{HANGING_UP}- hangs_up: true\n  over: never said\n", [(4, "over")]),
        (f"{HANGING_UP}- caller: one\n  over: hear you\n- agent: x\n", [(6, "agent")]),
        ("- time_up: true\n- caller: one\n  over: our time is up\n- agent: x\n", [(5, "agent")]),
        ("- caller: bye\n- hangs_up: true\n  over: goodbye\n- caller: one\n", [(5, "ended")]),
        ("- agent: hello\n", [(2, "agent")]),
        ("- caller: one\n- agent:\n- agent: two\n", [(4, "agent")]),
    ],
)
async def test_p10_a_turn_that_cannot_be_had_is_a_fault_of_its_line(
    tmp_path: Path, turns: str, found: list[tuple[int, str]], level: Level
) -> None:
    done = await had(tmp_path, turns, level)
    assert faults(done) == found


HASTY = CallPolicy(first_speaker="caller", silence_timeout=4, max_duration=60, limit_warning=20)


@BOTH
@pytest.mark.parametrize(
    ("turns", "why"),
    [
        ("- silence: 3\n", "nothing happens in 3 seconds of silence"),
        ("- silence: 3\n- silence: 1\n", "nothing happens in 3 seconds"),
        ("- silence: 9\n", "two things in 9 seconds of silence; write a `silence` for each"),
        ("- limit_near: 30\n", "no event with 30 seconds left: .* limit_warning is 20"),
        ("- limit_near: 20\n- limit_near: 10\n", "no event with 10 seconds left: it gets one only"),
    ],
)
async def test_p11_a_turn_that_the_limits_of_the_call_contradict_is_a_fault(
    tmp_path: Path, turns: str, why: str, level: Level
) -> None:
    done = await had(tmp_path, turns, level, talker(HASTY))
    [fault] = done.faults
    assert fault.field == "turns"
    assert re.search(why, fault.why)


@BOTH
@pytest.mark.parametrize(
    "turns",
    [
        "- silence:\n- silence:\n- silence:\n- agent: I cannot hear you, ...\n",
        "- silence: 5\n- silence: 5\n- silence: 5\n",
        "- silence: 7\n- caller: one\n- silence: 4\n",
        "- limit_near: 20\n- silence: 4\n- caller: one\n- time_up: true\n",
        "- caller: one\n- limit_near: 12.5\n",
        "- keypad: '12'\n- keypad: '3#'\n- silence: 4\n",
    ],
)
async def test_p11_time_that_passes_as_it_does_in_a_call_is_no_fault(
    tmp_path: Path, turns: str, level: Level
) -> None:
    done = await had(tmp_path, turns, level, talker(HASTY))
    assert faults(done) == []


@BOTH
async def test_p10_conversations_do_not_share_what_a_graph_remembers(
    tmp_path: Path, level: Level
) -> None:
    graph = talker(checkpointer=InMemorySaver())
    for _ in range(2):
        done = await had(tmp_path, "- caller: one\n- agent: That was number 1.\n", level, graph)
        assert faults(done) == []


@BOTH
async def test_p3_p10_silence_is_counted_anew_after_words_that_kept_the_call(
    tmp_path: Path, level: Level
) -> None:
    graph = talker(CallPolicy(first_speaker="caller", silence_reminders=1))
    turns = "- silence: 10\n" * 2 + "- caller: okay\n  over: hear you\n" + "- silence: 10\n"
    done = await had(tmp_path, f"{turns}- agent:\n  open: true\n- hangs_up: true\n", level, graph)
    assert faults(done) == []
    assert done.call is not None
    assert done.call.end is not None
    assert done.call.end.ended_by == "caller"


@BOTH
async def test_p10_a_goodbye_that_was_called_off_is_not_the_calls(
    tmp_path: Path, level: Level
) -> None:
    turns = (
        "- caller: bye\n- caller: I need one more thing\n  over: goodbye\n- hangs_up: true\n"
        "ended: {ended_by: caller, after: goodbye}\n"
    )
    done = await had(tmp_path, turns, level)
    assert faults(done) == [(6, "ended.after")]


@BOTH
async def test_p10_an_ending_in_the_opening_is_as_quick_as_any(
    tmp_path: Path, level: Level
) -> None:
    graph = talker(CallPolicy(end_token="number"))
    async with asyncio.timeout(4):
        done = await had(tmp_path, "- agent: That was 0.\nended: {source: token}\n", level, graph)
    assert faults(done) == []
