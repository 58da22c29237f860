"""Whoever can write to the memory's database runs nothing in the worker."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel import Pregel

from lastword.memory.graph_memory import open_memory, prepare_memory
from lastword.memory.memory_url import read_memory_url
from lastword.settings import STRICT_CHECKPOINTS, inherited_environment
from lastword.signals import CallPolicy
from lastword.testing.stage.processes import running_process
from lastword.testing.stage.stage import WORKER_PROCESS
from tests import PROJECT_ROOT
from tests.fakes import forger
from tests.fakes.forger import COMMANDS, HARMLESS, Place
from tests.fakes.phone import phone_call
from tests.fakes.postgres import LocalPostgres

ATTACKS = {**COMMANDS, **HARMLESS}
APOLOGY = CallPolicy().apology


class Noted(MessagesState):
    """A state that takes anything."""

    note: Any


def noting_graph() -> Pregel[Any, Any, Any, Any]:
    """Answers each turn with the type of its note; an inner graph has a state of its own."""

    async def inner(state: Noted) -> dict[str, Any]:
        return {"note": ["inside"]}

    async def talk(state: Noted) -> dict[str, Any]:
        return {
            "messages": [AIMessage(f"I know a {type(state.get('note')).__name__}.")],
            "note": ["something"],
        }

    nested: StateGraph[Any, Any, Any, Any] = StateGraph(Noted)
    nested.add_node("inner", inner)
    nested.add_edge(START, "inner")
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Noted)
    builder.add_node("talk", talk)
    builder.add_node("nested", nested.compile(checkpointer=True))
    builder.add_edge(START, "talk")
    builder.add_edge("talk", "nested")
    return builder.compile()


async def one_call(url: str) -> str:
    """A call of one turn, in a memory opened for it alone; what the caller heard."""
    async with (
        open_memory(read_memory_url(url)) as memory,
        phone_call(noting_graph(), memory=memory) as phone,
    ):
        await phone.say("hello")
        return phone.spoken()[-1]


async def attacked(url: str, attack: str, mark: Path, place: Place, channel: str = "note") -> str:
    """A call, then the attack on what it has left, then the next call of that name."""
    await prepare_memory(read_memory_url(url))
    assert await one_call(url) == "I know a NoneType."
    forged = ATTACKS[attack](mark)
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        assert await asyncio.to_thread(forger.forge_sqlite, file, place, forged, channel) == 2
    else:
        assert await asyncio.to_thread(forger.forge_postgres, url, forged, channel) > 2
    return await one_call(url)


@pytest.mark.parametrize("place", get_args(Place))
@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_crafted_row_runs_nothing_and_leaves_the_caller_with_words(
    attack: str, place: Place, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    heard = await attacked(f"sqlite:///{tmp_path}/memory.sqlite3", attack, mark, place)
    assert not mark.exists()
    assert heard == APOLOGY or heard.startswith("I know a ")
    assert "PromptTemplate" not in heard


@pytest.mark.parametrize("channel", ["messages", "__start__", "__pregel_tasks", "__resume__"])
@pytest.mark.parametrize("place", get_args(Place))
async def test_a_crafted_row_runs_nothing_in_any_channel(
    channel: str, place: Place, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    url = f"sqlite:///{tmp_path}/memory.sqlite3"
    heard = await attacked(url, "one argument", mark, place, channel)
    assert not mark.exists()
    assert heard == APOLOGY or heard.startswith("I know a ")


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_crafted_row_runs_nothing_from_postgresql(
    attack: str, postgres: LocalPostgres, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    heard = await attacked(postgres.new_database(), attack, mark, "state")
    assert not mark.exists()
    assert heard == APOLOGY or heard.startswith("I know a ")
    assert "PromptTemplate" not in heard


READING = """
import os
import ormsgpack
from langgraph.checkpoint.memory import InMemorySaver
from tests.fakes.scripted_graph import ScriptedModel, talking_graph

graph = talking_graph(ScriptedModel(answers=[]), remembers=False)
crafted = ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb(("builtins", "abs", -1))))
read = InMemorySaver().serde.loads_typed(("msgpack", crafted))
os.write(1, f"process {os.getpid()} has read {read}\\n".encode())
"""
"""A graph's module, which reads a checkpoint as the graph's own memory would; it says so in one
write, as the log of another process goes into the same pipe."""


@pytest.mark.parametrize(
    "program",
    [
        f"{WORKER_PROCESS} lastword.worker",
        "lastword worker start",
        f"{WORKER_PROCESS} lastword.testing.levels.room_worker",
    ],
)
async def test_the_worker_and_its_jobs_read_strictly_what_a_graphs_own_memory_holds(
    program: str, tmp_path: Path
) -> None:
    await asyncio.to_thread((tmp_path / "reading_graph.py").write_text, READING)
    config = tmp_path / "langgraph.json"
    await asyncio.to_thread(config.write_text, '{"graphs": {"reading": "reading_graph:graph"}}')
    env = {
        name: value for name, value in inherited_environment().items() if name != STRICT_CHECKPOINTS
    } | {
        "LIVEKIT_URL": "ws://127.0.0.1:9",
        "LIVEKIT_API_KEY": "key",
        "LIVEKIT_API_SECRET": "secret" * 8,
        "LASTWORD_PROVIDERS": "offline",
        "LASTWORD_GRAPHS_CONFIG": str(config),
        "LASTWORD_HEALTH_HOST": "127.0.0.1",
        "LASTWORD_HEALTH_PORT": "0",
        "LASTWORD_IDLE_PROCESSES": "1",
        "LASTWORD_MAX_CALLS": "4",  # by the load of the CPU a busy machine would start no job
        "PYTHONPATH": str(PROJECT_ROOT),
    }
    read: dict[str, str] = {}
    command = [sys.executable, "-m", *program.split(), "--drain-timeout", "1"]
    async with running_process("a worker", command, env=env) as part, asyncio.timeout(60):
        async for line in part.lines():
            match line.split():
                case ["process", pid, "has", "read", value]:
                    read[pid] = value
            if len(read) == 2:
                break
    assert set(read.values()) == {"-1"}, "the worker's and a job's process"
