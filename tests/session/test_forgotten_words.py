"""Words that a graph speaks and puts into no message are reported by conversations (P5, P6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.graph import MessagesState, StateGraph
from langgraph.types import interrupt

from lastword.graphs_config import CallGraph
from lastword.signals import CallPolicy, end_call, say
from lastword.terminal import SafeConsole
from lastword.testing.replay import Manner, Replayed, run_transcript
from lastword.testing.transcripts.transcript import Level
from lastword.testing.transcripts.transcript_file import read_transcript
from lastword.tools.replay.view import show_verdict
from tests.fakes.shop_project import shop_project

Update: TypeAlias = dict[str, Any]
Node: TypeAlias = Callable[..., Any]
BOTH = pytest.mark.parametrize("level", ["graph", "session"])


def model(words: str) -> GenericFakeChatModel:
    return GenericFakeChatModel(messages=iter([AIMessage(words)]))


async def forgets(state: MessagesState) -> Update:
    await model("The caller wants an apple.").ainvoke(state["messages"])
    return {"messages": [AIMessage("That is five euros.")]}


async def answers(state: MessagesState) -> Update:
    return {"messages": [await model("That is five euros.").ainvoke(state["messages"])]}


async def answers_in_other_words(state: MessagesState) -> Update:
    parts = [await model(words).ainvoke([]) for words in ("That is", "five euros.")]
    return {"messages": [AIMessage(" ".join(one.text for one in parts))]}


async def is_tagged(state: MessagesState) -> Update:
    await model("The caller wants an apple.").ainvoke([], config={"tags": ["nostream"]})
    return {"messages": [AIMessage("That is five euros.")]}


async def fills(state: MessagesState) -> Update:
    say("One moment, please.")
    return {"messages": [AIMessage("That is five euros.")]}


async def fails(state: MessagesState) -> Update:
    await model("That is five").ainvoke([])
    raise RuntimeError("the till is broken")


async def asks(state: MessagesState) -> Update:
    reply = await model("We have two sorts.").ainvoke([])
    interrupt("Which one?")
    return {"messages": [reply]}


async def ends(state: MessagesState) -> Update:
    end_call("sold")
    return {"messages": [await model("Thank you, goodbye!").ainvoke([])]}


def graph_of(node: Node, policy: CallPolicy | None = None, name: str = "sell") -> CallGraph:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node(name, node)
    builder.set_entry_point(name)
    return CallGraph("shop", builder.compile(), policy or CallPolicy(first_speaker="caller"))


async def one_turn(folder: Path, graph: CallGraph, level: Level) -> Replayed:
    path = folder / "call.yaml"
    await asyncio.to_thread(path.write_text, "turns:\n- caller: An apple.\n")
    transcript = await asyncio.to_thread(read_transcript, path)
    async with asyncio.timeout(30):
        return await run_transcript(transcript, graph, Manner(level=level))


def forgotten(done: Replayed) -> list[tuple[str, str]]:
    return [(one.node, one.words) for played in done.played for one in played.reply.forgotten]


@BOTH
async def test_p5_words_that_are_in_no_message_are_reported_with_their_node(
    tmp_path: Path, level: Level
) -> None:
    done = await one_turn(tmp_path, graph_of(forgets), level)
    assert forgotten(done) == [("sell", "The caller wants an apple.")]
    assert done.passed


@BOTH
@pytest.mark.parametrize(
    "node",
    [answers, answers_in_other_words, is_tagged, fills, fails, asks, ends],
    ids=lambda it: it.__name__,
)
async def test_p5_words_that_are_in_a_message_or_cannot_be_are_not_reported(
    tmp_path: Path, level: Level, node: Node
) -> None:
    assert forgotten(await one_turn(tmp_path, graph_of(node), level)) == []


@BOTH
async def test_p5_the_farewell_of_an_end_node_is_not_reported(tmp_path: Path, level: Level) -> None:
    done = await one_turn(tmp_path, graph_of(answers, name="end"), level)
    assert forgotten(done) == []
    assert done.call is not None
    assert done.call.end is not None


@BOTH
async def test_p6_words_of_a_silent_node_are_not_reported(tmp_path: Path, level: Level) -> None:
    policy = CallPolicy(first_speaker="caller", silent_nodes=frozenset({"sell"}), must_answer=False)
    assert forgotten(await one_turn(tmp_path, graph_of(forgets, policy), level)) == []


async def test_p5_the_node_of_a_subgraph_is_named_with_the_one_it_is_in(tmp_path: Path) -> None:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("desk", graph_of(forgets).graph)
    builder.set_entry_point("desk")
    graph = CallGraph("shop", builder.compile(), CallPolicy(first_speaker="caller"))
    assert [node for node, _ in forgotten(await one_turn(tmp_path, graph, "graph"))] == [
        "desk/sell"
    ]


async def test_p5_a_replay_shows_them_before_its_verdict(tmp_path: Path) -> None:
    done = await one_turn(tmp_path, graph_of(forgets), "graph")
    printed = StringIO()
    show_verdict(done, SafeConsole(file=printed, width=100))
    shown = printed.getvalue()
    assert "Spoken but in no message:\n  node 'sell' has spoken words" in shown
    assert '"The caller wants an apple."' in shown
    assert shown.rstrip().endswith("As written (level graph).")


ASKS_ITSELF = """
def sell(state: MessagesState) -> dict[str, Any]:
    from langchain_core.language_models import GenericFakeChatModel

    GenericFakeChatModel(messages=iter([AIMessage("An apple, then.")])).invoke("What?")
    return {"messages": [AIMessage("That is five euros.")]}
"""
SELLS = "turns:\n- caller: An apple.\n- agent: ... That is five euros.\n"


def test_p5_pytest_warns_of_them_and_fails_only_when_the_project_says_so(tmp_path: Path) -> None:
    project = shop_project(tmp_path)
    shop = tmp_path / "shop.py"
    before, _, after = shop.read_text().partition("def sell(")
    shop.write_text(before + ASKS_ITSELF.lstrip() + after[after.index("\n\n\ndef end") :])
    project.write(sells=SELLS)
    warned = project.pytest()
    assert warned.code == 0
    assert "warnings summary" in warned.printed
    assert "node 'sell' has spoken words that are in no message" in warned.printed
    category = "error::lastword.testing.forgotten_words.ForgottenWords"
    refused = project.pytest("-W", category)
    assert refused.code == 1
    assert "node 'sell' has spoken words that are in no message" in refused.printed
    assert "Traceback" not in refused.printed
