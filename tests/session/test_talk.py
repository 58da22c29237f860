"""Typed lines hold the same conversation as a call, to the same ending."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lastword.memory.graph_memory import open_memory
from lastword.memory.memory_url import SqliteFile
from lastword.settings import inherited_environment
from lastword.testing.stage.processes import running_process


async def talk(lines: str, store: Path, *arguments: str, memory: str = "") -> tuple[str, int]:
    """Type ``lines`` into ``lastword talk``; returns what it printed and its exit code."""
    env = inherited_environment() | {
        "LASTWORD_PROVIDERS": "offline",
        "LASTWORD_STORE": str(store / "store.sqlite3"),
        "LASTWORD_GRAPH_MEMORY": memory,
    }
    command = [sys.executable, "-m", "lastword", "talk", *arguments]
    async with running_process("lastword talk", command, env=env) as part:
        part.tell(lines)
        said = "\n".join([line async for line in part.lines()])
        return said, await part.exit_code()


@pytest.mark.parametrize(
    ("graph", "lines", "ending"),
    [
        ("appointment", "Yes, speaking.\nYes, I can come.\n", "Call ended by graph: confirmed"),
        ("reception", "No, that is all. Goodbye.\n", "Call ended by graph: completed"),
        ("survey", "No, I do not have time.\n", "Call ended by graph: declined"),
        ("survey", "Yes, of course.\n", "Call ended by caller: caller_hung_up"),
    ],
)
async def test_p2_a_typed_conversation_ends_as_a_call_does(
    tmp_path: Path, graph: str, lines: str, ending: str
) -> None:
    said, code = await talk(lines, tmp_path, "--graph", graph)
    assert "agent> Hello, this is the Oak Street dental practice." in said
    assert ending in said
    assert "Traceback" not in said
    assert code == 0


async def test_p5_two_typed_conversations_in_one_memory_are_two_threads(tmp_path: Path) -> None:
    place = SqliteFile(tmp_path / "memory.sqlite3")
    for _ in range(2):
        said, code = await talk(
            "No, I do not have time.\n", tmp_path, "--graph", "survey", memory=str(place)
        )
        assert "Call ended by graph: declined" in said
        assert code == 0
    async with open_memory(place) as memory:
        threads = {found.config["configurable"]["thread_id"] async for found in memory.alist(None)}
    assert len(threads) == 2
