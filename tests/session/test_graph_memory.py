"""The graphs' memory is prepared once, opened for each call, and never worth a caller's call."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from contextlib import AsyncExitStack, closing
from pathlib import Path

import psycopg
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from lastword.errors import MemoryUnavailable
from lastword.memory.graph_memory import open_for_call, open_memory, prepare_memory
from lastword.memory.memory_url import read_memory_url
from lastword.memory.postgres import PREPARE_LOCK
from tests.fakes.postgres import LocalPostgres

WORKERS = 4
CONFIG: RunnableConfig = {"configurable": {"thread_id": "call-1", "checkpoint_ns": ""}}


async def nobody_to_join() -> None:
    """A call that needs no joining."""


async def prepared_by_many(url: str) -> None:
    """Prepare a memory in several workers at once, and open it."""
    place = read_memory_url(url)
    async with asyncio.TaskGroup() as workers:
        for _ in range(WORKERS):
            workers.create_task(prepare_memory(place))
    async with open_memory(place) as memory:
        assert [found async for found in memory.alist(None)] == []


async def test_p5_workers_that_start_at_once_prepare_one_sqlite_file(tmp_path: Path) -> None:
    await prepared_by_many(f"sqlite:///{tmp_path}/new/folder/memory.sqlite3")


async def test_p5_workers_that_start_at_once_prepare_one_postgresql(
    postgres: LocalPostgres,
) -> None:
    url = postgres.new_database()
    await prepared_by_many(url)
    async with await psycopg.AsyncConnection.connect(url) as connection:
        made = await connection.execute("SELECT count(*) FROM checkpoint_migrations")
        assert await made.fetchone() == (len(AsyncPostgresSaver.MIGRATIONS),)


async def test_p5_a_worker_waits_for_another_that_is_making_the_sqlite_file(
    tmp_path: Path,
) -> None:
    file = tmp_path / "memory.sqlite3"
    waited: list[float] = []
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")

        async def wait(seconds: float) -> None:
            waited.append(seconds)
            await asyncio.to_thread(other.execute, "COMMIT")

        await prepare_memory(read_memory_url(f"sqlite:///{file}"), wait=wait)
    assert len(waited) == 1


async def test_p5_a_worker_waits_for_another_that_is_preparing_postgresql(
    postgres: LocalPostgres,
) -> None:
    url = postgres.new_database()
    waited: list[float] = []
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as other:
        await other.execute("SELECT pg_advisory_lock(%s)", [PREPARE_LOCK])

        async def wait(seconds: float) -> None:
            waited.append(seconds)
            await other.execute("SELECT pg_advisory_unlock(%s)", [PREPARE_LOCK])

        await prepare_memory(read_memory_url(url), wait=wait)
    assert len(waited) == 1


@pytest.mark.parametrize("kind", ["refused", "password", "database", "no database file", "folder"])
async def test_p5_a_memory_that_cannot_be_used_is_one_sentence_without_the_password(
    kind: str, postgres: LocalPostgres, tmp_path: Path
) -> None:
    letter = tmp_path / "letter.txt"
    await asyncio.to_thread(letter.write_text, "Dear Anna, this is no database at all. " * 100)
    url, why = {
        "refused": ("postgresql://anna:topsecret@127.0.0.1:9/calls", "onnection refused"),
        "password": (postgres.url(password="topsecret"), "password authentication failed"),
        "database": (postgres.url("nowhere"), 'database "nowhere" does not exist'),
        "no database file": (f"sqlite:///{letter}", "file is not a database"),
        "folder": (f"sqlite:///{letter}/memory.sqlite3", "exists|Not a directory"),
    }[kind]
    with pytest.raises(MemoryUnavailable, match=f"(?s)^the graphs' memory .*({why})") as found:
        await prepare_memory(read_memory_url(url))
    assert "change LASTWORD_GRAPH_MEMORY" in str(found.value)
    assert "\n" not in str(found.value)
    assert not any(secret in str(found.value) for secret in ("topsecret", "pass@", "pass%40"))


async def test_p5_a_call_whose_memory_cannot_be_opened_goes_on_without_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = read_memory_url("postgresql://anna:topsecret@127.0.0.1:9/calls")
    async with AsyncExitStack() as after_the_call:
        assert await open_for_call(place, after_the_call, join=nobody_to_join) is None
    assert "the memory cannot be opened; this call is kept in the process only" in caplog.text
    assert "MemoryUnavailable: the graphs' memory 'postgresql://127.0.0.1:9/calls'" in caplog.text
    assert "topsecret" not in caplog.text


async def test_p5_a_call_is_joined_while_its_memory_is_being_opened() -> None:
    joined = asyncio.Event()

    async def join() -> None:
        joined.set()

    async def server(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Lets nobody in, and says so only when the call has been joined."""
        await joined.wait()
        writer.close()

    async with (
        await asyncio.start_server(server, "127.0.0.1", 0) as silent,
        AsyncExitStack() as end,
    ):
        port = silent.sockets[0].getsockname()[1]
        place = read_memory_url(f"postgresql://anna@127.0.0.1:{port}/calls")
        async with asyncio.timeout(2):
            assert await open_for_call(place, end, join=join) is None


async def test_p5_a_call_that_cannot_be_joined_early_still_gets_its_memory(tmp_path: Path) -> None:
    async def join() -> None:
        raise ConnectionError("no such room")

    place = read_memory_url(f"sqlite:///{tmp_path}/memory.sqlite3")
    async with AsyncExitStack() as after_the_call:
        assert await open_for_call(place, after_the_call, join=join) is not None


async def test_p5_without_a_setting_nothing_is_opened() -> None:
    async with AsyncExitStack() as after_the_call:
        assert await open_for_call(None, after_the_call, join=nobody_to_join) is None


@pytest.mark.parametrize("had_been_readable", [False, True])
async def test_a_memory_with_all_its_files_is_the_owners_alone(
    had_been_readable: bool, tmp_path: Path
) -> None:
    folder = tmp_path / "calls"
    place = read_memory_url(f"sqlite:///{folder}/memory.sqlite3")
    before = os.umask(0)
    try:
        await prepare_memory(place)
        async with open_memory(place) as memory:
            await memory.aput(CONFIG, empty_checkpoint(), {"source": "input"}, {})
            if had_been_readable:
                for path in folder.iterdir():
                    path.chmod(0o666)
            async with open_memory(place):
                modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    finally:
        os.umask(before)
    files = ("memory.sqlite3", "memory.sqlite3-shm", "memory.sqlite3-wal")
    assert modes == dict.fromkeys(files, 0o600)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_memory_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "memory.sqlite3").symlink_to(tmp_path / "elsewhere")
    place = read_memory_url(f"sqlite:///{tmp_path}/memory.sqlite3")
    with pytest.raises(MemoryUnavailable, match="symbolic link"):
        await prepare_memory(place)
    assert not (tmp_path / "elsewhere").exists()
