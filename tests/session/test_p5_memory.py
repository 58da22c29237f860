"""What a graph remembers of a call is the same in the process, in SQLite and in PostgreSQL (P5)."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from livekit.agents.llm import ChatContext, ChatMessage, CollectedResponse
from livekit.agents.voice.run_result import RunResult

from lastword.bridge import GraphLLM
from lastword.hangup.call_end import CallEnd
from lastword.memory.database import Memory
from lastword.memory.graph_memory import open_memory, prepare_memory
from lastword.memory.memory_url import read_memory_url
from lastword.signals import CallPolicy
from lastword.testing.stage.processes import running_process
from tests.fakes.phone import Phone, phone_call
from tests.fakes.postgres import LocalPostgres
from tests.fakes.scripted_graph import ScriptedModel, talking_graph

READER = """
import asyncio, json, sys
from lastword.memory.graph_memory import open_memory
from lastword.memory.memory_url import read_memory_url

async def read(url, *threads):
    async with open_memory(read_memory_url(url)) as memory:
        for thread in threads:
            found = await memory.aget_tuple({"configurable": {"thread_id": thread}})
            messages = found.checkpoint["channel_values"]["messages"]
            print(json.dumps([f"{m.type}: {m.text}" for m in messages]))

asyncio.run(read(*json.load(sys.stdin)))
"""
"""Another program, which knows a memory's URL and the names of calls."""

CALL = RunnableConfig(configurable={"thread_id": "call-under-test"})


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a memory that outlives the process."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/memory.sqlite3"
    server: LocalPostgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest_asyncio.fixture(params=["process", "sqlite", "postgresql"])
async def memory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Memory]:
    """A memory of every kind, opened as for a call."""
    if request.param == "process":
        yield InMemorySaver()
        return
    url = f"sqlite:///{tmp_path}/memory.sqlite3"
    if request.param == "postgresql":
        server: LocalPostgres = request.getfixturevalue("postgres")
        url = server.new_database()
    await prepare_memory(read_memory_url(url))
    async with open_memory(read_memory_url(url)) as opened:
        yield opened


def answering(model: ScriptedModel, memory: Memory) -> GraphLLM:
    return GraphLLM(talking_graph(model, remembers=False).copy({"checkpointer": memory}))


def caller(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=[text])


async def run(graph_llm: GraphLLM, history: ChatContext) -> ChatMessage:
    """Run the graph on ``history``; returns what a session would add to it."""
    answer: CollectedResponse = await graph_llm.chat(chat_ctx=history).collect()
    return ChatMessage(role="assistant", content=[answer.text], extra=answer.extra)


class Farewelled(MessagesState):
    """Remembers what its end node did."""

    said_goodbye: bool


def echoing_graph() -> Pregel[Any, Any, Any, Any]:
    """Answers with the caller's words; "bye" brings it to its end node."""

    async def answer(state: Farewelled) -> dict[str, Any]:
        return {"messages": [AIMessage(f"You said {state['messages'][-1].text}.")]}

    async def end(state: Farewelled) -> dict[str, Any]:
        goodbye = AIMessage("Goodbye, and have a nice day.")
        return {"messages": [goodbye], "said_goodbye": True}

    def route(state: Farewelled) -> str:
        return "end" if state["messages"][-1].text == "bye" else "answer"

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Farewelled)
    builder.add_node("answer", answer)
    builder.add_node("end", end)
    builder.add_conditional_edges(START, route, ["answer", "end"])
    return builder.compile()


async def interrupted(phone: Phone, words: str, *, heard: str) -> None:
    """Say ``words`` and speak over the answer when ``heard`` of it has been heard."""
    phone.mouth.hold, phone.mouth.played_text = True, heard
    turn: RunResult[Any] = phone.session.run(user_input=words)
    await phone.mouth.captured.wait()
    await phone.session.interrupt(force=True)
    await turn
    phone.mouth.hold = False


async def state(memory: Memory) -> dict[str, Any]:
    """The newest state of the call under test."""
    found = await memory.aget_tuple(CALL)
    assert found is not None
    return found.checkpoint["channel_values"]


async def remembered(memory: Memory) -> list[str]:
    """Its messages."""
    return [f"{message.type}: {message.text}" for message in (await state(memory))["messages"]]


async def test_p4_a_discarded_first_run_leaves_no_trace_in_any_memory(memory: Memory) -> None:
    model = ScriptedModel(answers=[["Goodbye!<end>"], ["By the way what?"]])
    graph_llm = answering(model, memory)
    await run(graph_llm, ChatContext([caller("bye")]))
    await run(graph_llm, ChatContext([caller("by the way")]))
    assert [message.text for message in model.calls[-1]] == ["by the way"]


async def test_p4_a_discarded_later_run_leaves_no_trace_in_any_memory(memory: Memory) -> None:
    model = ScriptedModel(answers=[["Hello."], ["Goodbye!<end>"], ["Yes?"], ["Fine."]])
    graph_llm = answering(model, memory)
    history = ChatContext([caller("hi")])
    history.insert(await run(graph_llm, history))
    speculative, certain = history.copy(), history.copy()
    speculative.insert(caller("bye"))
    await run(graph_llm, speculative)
    certain.insert(caller("by the way"))
    certain.insert(await run(graph_llm, certain))
    certain.insert(caller("one more thing"))
    await run(graph_llm, certain)
    said = ["hi", "Hello.", "by the way", "Yes?", "one more thing"]
    assert [message.text for message in model.calls[-1]] == said


async def test_p5_what_was_cut_in_the_call_is_cut_in_any_memory(memory: Memory) -> None:
    async with phone_call(echoing_graph(), memory=memory) as phone:
        await interrupted(phone, "one", heard="You said")
        await phone.say("two")
        assert await remembered(memory) == [
            "human: one",
            "ai: You said",
            "human: two",
            "ai: You said two.",
        ]


async def test_p3_after_a_cancelled_ending_any_memory_goes_on_from_before_it(
    memory: Memory,
) -> None:
    async with phone_call(echoing_graph(), memory=memory) as phone:
        await interrupted(phone, "bye", heard="Goodbye,")
        await phone.events.until("ending_cancelled")
        await phone.say("wait")
        assert await remembered(memory) == [
            "human: bye",
            "ai: Goodbye,",
            "human: wait",
            "ai: You said wait.",
        ]
        assert "said_goodbye" not in await state(memory)
        await phone.say("bye")
        assert await phone.running == CallEnd("graph", "completed")


async def test_p5_what_a_turn_sends_does_not_grow_with_the_call(memory: Memory) -> None:
    async with phone_call(echoing_graph(), memory=memory) as phone:
        for _ in range(30):
            await phone.say("one more thing")
    inputs = [
        found.checkpoint["channel_values"]["__start__"]
        async for found in memory.alist(CALL, filter={"source": "input"})
    ]
    sizes = [len(JsonPlusSerializer().dumps_typed(sent)[1]) for sent in reversed(inputs)]
    assert len(sizes) == 30
    assert set(sizes) == {sizes[0]}, "bytes of what went into the graph, turn by turn"
    assert len(await remembered(memory)) == 60


class CountingMemory(InMemorySaver):
    """Counts how often a state is read."""

    reads = 0

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        self.reads += 1
        return await super().aget_tuple(config)


async def test_p5_a_turn_reads_the_state_once() -> None:
    memory, reads = CountingMemory(), []
    graph_llm = answering(ScriptedModel(answers=[["One."], ["Two."], ["Three."]]), memory)
    history = ChatContext.empty()
    for words in ("one", "two", "three"):
        history.insert(caller(words))
        before = memory.reads
        history.insert(await run(graph_llm, history))
        reads.append(memory.reads - before)
    assert reads[1:] == [1, 1], "the first turn also looks whether the thread is new"


async def one_call(url: str, name: str, turns: int) -> None:
    """Hold a call in a memory opened for it alone, as in a process of its own."""
    async with AsyncExitStack() as after_the_call:
        memory = await after_the_call.enter_async_context(open_memory(read_memory_url(url)))
        async with phone_call(echoing_graph(), memory=memory, call_id=name) as phone:
            for number in range(turns):
                await phone.say(f"{name} {number}")


async def test_p5_calls_at_the_same_time_do_not_mix_and_another_process_reads_them(
    url: str,
) -> None:
    names = [f"call-{number}" for number in range(4)]
    await prepare_memory(read_memory_url(url))
    async with asyncio.TaskGroup() as calls:
        for name in names:
            calls.create_task(one_call(url, name, turns=5))
    async with running_process("a reader", [sys.executable, "-c", READER]) as reader:
        reader.tell(json.dumps([url, *names]))
        read = [line async for line in reader.lines()]
    assert read == [
        json.dumps(
            [text for n in range(5) for text in (f"human: {name} {n}", f"ai: You said {name} {n}.")]
        )
        for name in names
    ]


async def test_p5_a_connection_that_dies_in_mid_call_does_not_end_the_call(
    postgres: LocalPostgres, caplog: pytest.LogCaptureFixture
) -> None:
    url = postgres.new_database()
    await prepare_memory(read_memory_url(url))
    policy = CallPolicy(first_speaker="caller", tail=0)
    async with (
        open_memory(read_memory_url(url)) as memory,
        phone_call(echoing_graph(), policy, memory=memory) as phone,
    ):
        await phone.say("one")
        assert await asyncio.to_thread(postgres.end_connections, url) == 1
        await phone.say("two")
        assert phone.spoken() == ["You said one.", "You said two."]
        assert len(await remembered(memory)) == 4
    assert "the graph failed" not in caplog.text


async def test_p5_a_graph_compiled_with_its_own_memory_keeps_it(memory: Memory) -> None:
    graph = echoing_graph().copy({"checkpointer": memory})
    async with phone_call(graph, memory=InMemorySaver()) as phone:
        await phone.say("one")
    assert await remembered(memory) == ["human: one", "ai: You said one."]
