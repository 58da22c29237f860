"""The memory in which graphs keep their calls: LangGraph's own savers, opened for one call."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, TypeAlias

import aiosqlite
import psycopg
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from lastword.errors import MemoryUnavailable, UnwritableFile
from lastword.memory.memory_types import StateSerializer
from lastword.memory.memory_url import MemoryPlace, PostgresDatabase, SqliteFile
from lastword.private_files import keep_database_private

CONNECT_SECONDS = 3
"""How long PostgreSQL may take to let a call in before the call does without it."""
RECONNECT_SECONDS = 5.0
"""How long a turn waits for a PostgreSQL that is being restarted before the turn fails."""
BUSY_SECONDS = 5.0
"""How long a write waits for another process's write into the same SQLite file."""
PREPARE_SECONDS = 30.0
"""How long a worker waits for another one that is preparing the same memory."""
PREPARE_LOCK = int.from_bytes(b"lastword")
"""PostgreSQL's advisory lock that the preparing worker holds."""

Memory: TypeAlias = BaseCheckpointSaver[str]
_PostgresConnection: TypeAlias = psycopg.AsyncConnection[DictRow]

_CONNECTION: dict[str, Any] = {
    "autocommit": True,  # this and the next two as AsyncPostgresSaver.from_conn_string has them
    "prepare_threshold": 0,
    "row_factory": dict_row,
    "connect_timeout": CONNECT_SECONDS,
}
_PREPARE_PAUSE = 0.05

_log = logging.getLogger("lastword.memory")


class _Busy(Exception):
    """Another process is preparing the same memory at this moment."""


@asynccontextmanager
async def open_memory(place: MemoryPlace) -> AsyncIterator[Memory]:
    """Open a prepared memory for one call; ``remembering`` gives it to a graph.

    A connection to PostgreSQL that dies is replaced when the graph next needs it.

    Raises:
        MemoryUnavailable: it cannot be opened.
    """
    async with AsyncExitStack() as opened:
        try:
            match place:
                case SqliteFile():
                    memory: Memory = await opened.enter_async_context(_sqlite(place))
                case PostgresDatabase():
                    memory = await opened.enter_async_context(_postgres(place))
        except UnwritableFile as error:
            raise MemoryUnavailable(str(place), error.why) from error
        except (OSError, sqlite3.Error, psycopg.Error) as error:
            raise MemoryUnavailable(str(place), str(error)) from error
        yield memory


async def open_for_call(
    place: MemoryPlace | None, until: AsyncExitStack, *, join: Callable[[], Awaitable[None]]
) -> Memory | None:
    """Open a call's memory, to be closed with ``until``, while the call is joined by ``join``.

    A caller on the line is worth more than the memory: one that cannot be opened is logged, and
    None means that the call is to be remembered in its process. What goes wrong in ``join`` is
    for the call to find out, which joins again.
    """
    if place is None:
        return None
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_try(join))
        try:
            return await until.enter_async_context(open_memory(place))
        except MemoryUnavailable:
            _log.exception("the memory cannot be opened; the process alone remembers this call")
    return None


async def prepare_memory(
    place: MemoryPlace, *, wait: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Make the tables that are not there yet; several workers may do so at the same time.

    Raises:
        MemoryUnavailable: the memory cannot be reached, or its tables cannot be made.
    """
    retrying = AsyncRetrying(
        stop=stop_after_delay(PREPARE_SECONDS),
        wait=wait_fixed(_PREPARE_PAUSE),
        retry=retry_if_exception_type(_Busy),
        sleep=wait,
        reraise=True,
    )
    try:
        async for attempt in retrying:
            with attempt:
                match place:
                    case SqliteFile():
                        await _prepare_sqlite(place)
                    case PostgresDatabase():
                        await _prepare_postgres(place)
    except UnwritableFile as error:
        raise MemoryUnavailable(str(place), error.why) from error
    except (OSError, sqlite3.Error, psycopg.Error, _Busy) as error:
        raise MemoryUnavailable(str(place), str(error)) from error


@asynccontextmanager
async def _sqlite(file: SqliteFile) -> AsyncIterator[AsyncSqliteSaver]:
    await asyncio.to_thread(keep_database_private, file.path)
    async with aiosqlite.connect(file.path, timeout=BUSY_SECONDS) as connection:
        # In WAL mode, which the saver sets, NORMAL may lose the last writes in a power cut but
        # never breaks the file; FULL would wait for the disk at every step of the graph.
        await connection.execute("PRAGMA synchronous=NORMAL")
        saver = AsyncSqliteSaver(connection, serde=StateSerializer())
        await saver.setup()
        yield saver


@asynccontextmanager
async def _postgres(database: PostgresDatabase) -> AsyncIterator[AsyncPostgresSaver]:
    # A pool would try again until its time is over, and not say why; one connection fails at once.
    await (await _connect(database)).close()
    # One connection, because the saver does one thing at a time; a pool, because it replaces it.
    pool: AsyncConnectionPool[_PostgresConnection] = AsyncConnectionPool(
        database.url,
        kwargs=_CONNECTION,
        min_size=1,
        max_size=1,
        timeout=RECONNECT_SECONDS,
        check=AsyncConnectionPool.check_connection,
        open=False,
    )
    async with pool:
        yield AsyncPostgresSaver(pool, serde=StateSerializer())


async def _connect(database: PostgresDatabase) -> _PostgresConnection:
    return await psycopg.AsyncConnection.connect(database.url, **_CONNECTION)


async def _prepare_sqlite(file: SqliteFile) -> None:
    try:
        async with _sqlite(file):
            pass
    except sqlite3.OperationalError as error:
        # A new file's change to WAL does not wait for another writer as everything later does.
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise _Busy(str(error)) from error
        raise


async def _prepare_postgres(database: PostgresDatabase) -> None:
    async with await _connect(database) as connection:
        # Not pg_advisory_lock: the index that the saver makes CONCURRENTLY waits for every running
        # statement, also for one that waits for the lock. Closing the connection releases it.
        tried = await connection.execute("SELECT pg_try_advisory_lock(%s) AS ours", [PREPARE_LOCK])
        [lock] = await tried.fetchall()
        if not lock["ours"]:
            raise _Busy("another worker has been preparing it for too long")
        await AsyncPostgresSaver(connection).setup()


async def _try(work: Callable[[], Awaitable[None]]) -> None:
    with suppress(Exception):
        await work()
