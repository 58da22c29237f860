"""What chat models answer while a conversation is replayed: the file, a cassette, or themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import get_llm_cache, set_llm_cache
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from langgraph.graph import MessagesState, StateGraph
from langgraph.pregel import Pregel
from livekit.plugins import openai
from pydantic import SecretStr

from graphs.rule_model import RuleChatModel
from lastword.errors import SettingsError, TranscriptError
from lastword.graphs_config import CallGraph
from lastword.signals import CallPolicy
from lastword.testing.cassette import (
    Cassette,
    ModelRequest,
    cassette_path,
    model_message,
    read_cassette,
)
from lastword.testing.judge import judged_by, make_judge
from lastword.testing.project_under_test import ProjectUnderTest
from lastword.testing.replay import Manner, Replayed, run_transcript
from lastword.testing.transcripts.transcript_file import read_transcript
from tests.fakes.openai_server import FakeOpenAI, fake_openai

HELLO = """turns:
  - caller: Hello.
  - agent: Good day.
ended: false
"""
RULES = ProjectUnderTest(offline_models=["lastword-rules"])
CALLER_FIRST = CallPolicy(first_speaker="caller", max_failures=9)
UNREACHABLE = "http://127.0.0.1:9/v1"
"""Nobody listens there: whoever asks the model fails."""


def chat_model(base_url: str) -> ChatOpenAI:
    return ChatOpenAI(model="fake", api_key=SecretStr("no-key"), base_url=base_url, max_retries=0)


def talker(model: BaseChatModel, prompt: str = "Be brief.", *, streams: bool = False) -> CallGraph:
    """A graph with a model that nobody has told Lastword of."""

    async def talk(state: MessagesState) -> dict[str, Any]:
        asked = [("system", prompt), *state["messages"]]
        if streams:
            chunks = [chunk async for chunk in model.astream(asked)]
            return {"messages": [sum(chunks[1:], start=chunks[0])]}
        return {"messages": [await model.ainvoke(asked)]}

    return CallGraph("talker", graph_of(talk), CALLER_FIRST)


def graph_of(talk: Any) -> Pregel[Any, Any, Any, Any]:
    """A graph of one node."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("talk", talk)
    builder.set_entry_point("talk")
    return builder.compile()


async def replayed(
    folder: Path, text: str, graph: CallGraph, manner: Manner | None = None
) -> Replayed:
    path = folder / "hello.yaml"
    await asyncio.to_thread(path.write_text, text)
    transcript = await asyncio.to_thread(read_transcript, path)
    return await run_transcript(transcript, graph, manner or Manner())


def whys(done: Replayed) -> str:
    return "\n".join(f"{fault.line} {fault.field}: {fault.why}" for fault in done.faults)


@pytest.mark.parametrize("streams", [False, True])
async def test_a_written_answer_is_given_and_the_real_model_is_not_asked(
    tmp_path: Path, *, streams: bool
) -> None:
    text = HELLO.replace("Good day.\n", "Good day.\n    model: Good day.\n")
    done = await replayed(tmp_path, text, talker(chat_model(UNREACHABLE), streams=streams))
    assert whys(done) == ""
    assert done.played[1].reply.said == "Good day."


@pytest.mark.parametrize("streams", [False, True])
async def test_a_question_without_an_answer_is_no_silent_pass(
    tmp_path: Path, *, streams: bool
) -> None:
    async with fake_openai("Good day.") as server:
        graph = talker(chat_model(server.base_url), streams=streams)
        done = await replayed(tmp_path, HELLO, graph)
    assert server.requests == [], "nobody asked a real model unasked for"
    assert "3 model: the graph asks its chat model in node 'talk', but there is no answer" in whys(
        done
    )
    assert "--lastword-live" in whys(done)


async def test_an_answer_that_nobody_asks_for_is_named(tmp_path: Path) -> None:
    text = HELLO.replace("Good day.\n", "Good day.\n    model: [Good day., Never.]\n")
    done = await replayed(tmp_path, text, talker(chat_model(UNREACHABLE)))
    assert "3 model: 1 model answer was not used" in whys(done)


async def test_a_model_can_be_made_to_fail(tmp_path: Path) -> None:
    text = 'turns:\n- caller: Hi.\n- agent: "Sorry ..."\n  model: [{fails: it is down}]\n'
    done = await replayed(tmp_path, text, talker(chat_model(UNREACHABLE)))
    assert whys(done) == ""


async def recorded(folder: Path) -> FakeOpenAI:
    """Record a cassette; the server is gone afterwards."""
    async with fake_openai("Good day.") as server:
        manner = Manner(live=True, record=True)
        done = await replayed(folder, HELLO, talker(chat_model(server.base_url)), manner)
    assert whys(done) == ""
    return server


async def test_a_cassette_answers_instead_of_the_model_it_was_recorded_from(
    tmp_path: Path,
) -> None:
    server = await recorded(tmp_path)
    assert len(server.requests) == 1
    text = await asyncio.to_thread(cassette_path(tmp_path / "hello.yaml").read_text)
    assert "caller: Hello." in text
    assert "no-key" not in text
    done = await replayed(tmp_path, HELLO, talker(chat_model(UNREACHABLE)))
    assert whys(done) == ""
    assert done.played[1].reply.said == "Good day."


async def test_a_changed_prompt_is_reported_with_what_has_changed(tmp_path: Path) -> None:
    await recorded(tmp_path)
    done = await replayed(tmp_path, HELLO, talker(chat_model(UNREACHABLE), "Be polite."))
    assert "is not recorded in hello.cassette.yaml" in whys(done)
    assert "-system: Be brief." in whys(done)
    assert "+system: Be polite." in whys(done)


async def test_live_asks_the_model_whatever_is_written_or_recorded(tmp_path: Path) -> None:
    await recorded(tmp_path)
    text = HELLO.replace("Good day.\n", "Live.\n    model: Written.\n")
    async with fake_openai("Live.") as server:
        graph = talker(chat_model(server.base_url))
        done = await replayed(tmp_path, text, graph, Manner(live=True))
    assert whys(done) == ""
    assert len(server.requests) == 1


async def test_rules_are_not_recorded_as_if_they_were_a_model(tmp_path: Path) -> None:
    graph = talker(RuleChatModel(rules=[]))
    manner = Manner(live=True, record=True, project=RULES)
    done = await replayed(tmp_path, HELLO, graph, manner)
    assert "3 model: the real chat model should answer, but node 'talk'" in whys(done)
    assert "offline model 'lastword-rules': set the key" in whys(done)


async def test_a_cassette_survives_a_recording_that_is_refused(tmp_path: Path) -> None:
    await recorded(tmp_path)
    path = cassette_path(tmp_path / "hello.yaml")
    before = await asyncio.to_thread(path.read_text)
    graph = talker(RuleChatModel(rules=[]))
    await replayed(tmp_path, HELLO, graph, Manner(live=True, record=True, project=RULES))
    assert await asyncio.to_thread(path.read_text) == before


async def test_a_graph_without_a_model_gets_no_cassette(tmp_path: Path) -> None:
    async def talk(state: MessagesState) -> dict[str, Any]:
        return {"messages": [("ai", "Good day.")]}

    graph = CallGraph("plain", graph_of(talk), CALLER_FIRST)
    done = await replayed(tmp_path, HELLO, graph, Manner(live=True, record=True))
    assert whys(done) == ""
    assert not await asyncio.to_thread(cassette_path(tmp_path / "hello.yaml").exists)


async def test_a_model_that_was_told_to_use_no_cache_is_not_asked_either(tmp_path: Path) -> None:
    async with fake_openai("Good day.") as server:
        model = chat_model(server.base_url).model_copy(update={"cache": False})
        done = await replayed(tmp_path, HELLO, talker(model))
    assert server.requests == []
    assert "3 model: the graph asks its chat model" in whys(done)


@pytest.mark.parametrize(
    "text",
    [
        "answers: [{node: talk}]",
        "",
        "answers: {a: [&a {}, *a]}",
        "answers: [{key: k, asked: 7, answer: {says: Hi, calls: []}}]",
        "answers: [{key: k, asked: a, answer: {says: {}, calls: []}}]",
        "answers: [{key: k, asked: a, answer: {says: Hi, calls: [{name: n, args: x}]}}]",
        "answers: " + "[" * 90_000,
    ],
)
async def test_a_broken_cassette_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "hello.cassette.yaml"
    await asyncio.to_thread(path.write_text, text)
    with pytest.raises(
        TranscriptError,
        match=r"hello\.cassette\.yaml: is not a valid cassette .* --lastword-record",
    ):
        await replayed(tmp_path, HELLO, talker(chat_model(UNREACHABLE)))


async def test_after_a_conversation_models_answer_for_themselves_again(tmp_path: Path) -> None:
    model = chat_model(UNREACHABLE).model_copy(update={"cache": False})
    await replayed(tmp_path, HELLO, talker(model))
    assert get_llm_cache() is None
    assert model.cache is False
    assert model.disable_streaming is False


async def test_a_streamed_model_that_is_made_while_the_graph_runs_is_no_silent_pass(
    tmp_path: Path,
) -> None:
    async with fake_openai("Good day.") as server:

        async def talk(state: MessagesState) -> dict[str, Any]:
            chunks = [one async for one in chat_model(server.base_url).astream(state["messages"])]
            return {"messages": [sum(chunks[1:], start=chunks[0])]}

        done = await replayed(tmp_path, HELLO, CallGraph("late", graph_of(talk), CALLER_FIRST))
    assert "3 model: the real chat model has answered in node 'talk'" in whys(done)


async def test_a_model_that_is_made_while_the_graph_runs_is_answered_when_it_does_not_stream(
    tmp_path: Path,
) -> None:
    async def talk(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await chat_model(UNREACHABLE).ainvoke(state["messages"])]}

    text = HELLO.replace("Good day.\n", "Good day.\n    model: Good day.\n")
    done = await replayed(tmp_path, text, CallGraph("late", graph_of(talk), CALLER_FIRST))
    assert whys(done) == ""


@pytest.mark.parametrize("streams", [False, True])
async def test_a_model_that_needs_nobody_answers_itself_unless_the_file_does(
    tmp_path: Path, *, streams: bool
) -> None:
    fake = GenericFakeChatModel(messages=iter([AIMessage("Good day."), AIMessage("Good day.")]))
    graph = talker(fake, streams=streams)
    assert whys(await replayed(tmp_path, HELLO, graph)) == ""
    text = HELLO.replace("Good day.\n", "Written.\n    model: Written.\n")
    assert whys(await replayed(tmp_path, text, graph)) == ""


async def test_what_the_test_itself_asks_a_model_is_not_the_conversations(tmp_path: Path) -> None:
    async with fake_openai("It greets.") as server:
        asked = chat_model(server.base_url)

        async def judge(said: str, intent: str) -> str:
            return (await asked.ainvoke(f"{said} {intent}?")).text

        text = HELLO.replace("Good day.\n", "Good day.\n    model: Good day.\n    intent: greets\n")
        done = await replayed(tmp_path, text, talker(chat_model(UNREACHABLE)), Manner(judge=judge))
    assert whys(done) == "3 intent: It greets."


async def test_a_cache_of_the_projects_own_neither_answers_nor_learns(tmp_path: Path) -> None:
    own, shared = InMemoryCache(), InMemoryCache()
    set_llm_cache(shared)
    try:
        for model in (
            chat_model(UNREACHABLE),
            chat_model(UNREACHABLE).model_copy(update={"cache": own}),
        ):
            text = HELLO.replace("Good day.\n", "Good day.\n    model: Good day.\n")
            assert whys(await replayed(tmp_path, text, talker(model))) == ""
            assert "but there is no answer" in whys(await replayed(tmp_path, HELLO, talker(model)))
        assert get_llm_cache() is shared
        assert model.cache is own
    finally:
        set_llm_cache(None)


@pytest.mark.parametrize(
    ("verdict", "faults"),
    [
        ({"success": True, "reason": "It greets."}, ""),
        ({"success": False, "reason": "It does not greet."}, "It does not greet."),
    ],
)
async def test_livekits_judge_is_asked_whether_an_answer_means_what_it_should(
    verdict: dict[str, Any], faults: str
) -> None:
    async with fake_openai(("check_intent", verdict)) as server:
        model = openai.LLM(model="judge", api_key="no-key", base_url=server.base_url)
        found = await judged_by(model, "Good day.", "greets the caller")
        await model.aclose()
    assert (found == "") is (faults == "")
    assert faults in found
    assert "greets the caller" in str(server.requests[0]["messages"])


async def test_an_intent_is_looked_at_by_a_judge_only(tmp_path: Path) -> None:
    text = HELLO.replace("Good day.\n", "Good day.\n    model: Good day.\n    intent: greets\n")
    asked: list[tuple[str, str]] = []

    async def judge(said: str, intent: str) -> str:
        asked.append((said, intent))
        return "It is rude."

    graph = talker(chat_model(UNREACHABLE))
    assert (await replayed(tmp_path, text, graph)).passed
    done = await replayed(tmp_path, text, graph, Manner(judge=judge))
    assert asked == [("Good day.", "greets")]
    assert whys(done) == "3 intent: It is rude."


def test_a_judge_without_a_model_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(SettingsError, match="set OPENAI_API_KEY, or OPENAI_BASE_URL"):
        make_judge()


def test_a_cassette_has_what_a_model_has_answered_twice_or_with_control_characters(
    tmp_path: Path,
) -> None:
    request = ModelRequest("talk", "caller: \x1b[2J", {})
    answer = model_message("Hi.\x07", [("book", {"share": 1e-7, "big": 2**63, "is": "no"})])
    cassette = Cassette(tmp_path / "hello.cassette.yaml")
    for _ in range(2):
        cassette.add(request, answer)
    cassette.save()
    found = read_cassette(cassette.path).find(request)
    assert found is not None
    assert found.text == answer.text
    assert [one["args"] for one in found.tool_calls] == [one["args"] for one in answer.tool_calls]
