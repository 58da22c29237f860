"""A PostgreSQL database as the graphs' memory; its client comes with the extra ``postgres``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import psycopg
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from lastword.memory.database import Busy
from lastword.memory.memory_types import StateSerializer
from lastword.memory.memory_url import PostgresDatabase

CONNECT_SECONDS = 3
"""Timeout for connecting at the start of a call; after it, the call runs without the database."""
RECONNECT_SECONDS = 5.0
"""How long a turn waits for a restarting PostgreSQL before the turn fails."""
PREPARE_LOCK = int.from_bytes(b"lastword")
"""Key of the PostgreSQL advisory lock that the preparing worker holds."""

_Connection: TypeAlias = psycopg.AsyncConnection[DictRow]

_CONNECTION: dict[str, Any] = {
    "autocommit": True,  # these three as in AsyncPostgresSaver.from_conn_string
    "prepare_threshold": 0,
    "row_factory": dict_row,
    "connect_timeout": CONNECT_SECONDS,
}


class PostgresServer:
    """A PostgreSQL database that any number of machines may use."""

    errors = (psycopg.Error,)

    def __init__(self, database: PostgresDatabase) -> None:
        self._url = database.url

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncPostgresSaver]:
        """Open the database for one call."""
        # A pool retries until its timeout and does not report the cause; a single connection fails
        # at once.
        await (await self._connect()).close()
        # One connection, because the saver runs one statement at a time; in a pool, because a pool
        # replaces a lost connection.
        pool: AsyncConnectionPool[_Connection] = AsyncConnectionPool(
            self._url,
            kwargs=_CONNECTION,
            min_size=1,
            max_size=1,
            timeout=RECONNECT_SECONDS,
            check=AsyncConnectionPool.check_connection,
            open=False,
        )
        async with pool:
            yield AsyncPostgresSaver(pool, serde=StateSerializer())

    async def prepare(self) -> None:
        """Create the missing tables.

        Raises:
            Busy: another worker is creating them.
        """
        async with await self._connect() as connection:
            # Not pg_advisory_lock: the saver creates an index CONCURRENTLY, which waits for every
            # running statement, so also for a statement that waits for the lock. Closing the
            # connection releases the lock.
            tried = await connection.execute(
                "SELECT pg_try_advisory_lock(%s) AS ours", [PREPARE_LOCK]
            )
            [lock] = await tried.fetchall()
            if not lock["ours"]:
                raise Busy("another worker is still preparing it")
            await AsyncPostgresSaver(connection).setup()

    async def _connect(self) -> _Connection:
        return await psycopg.AsyncConnection.connect(self._url, **_CONNECTION)
