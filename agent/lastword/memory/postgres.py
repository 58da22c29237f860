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
"""How long PostgreSQL may take to let a call in before the call does without it."""
RECONNECT_SECONDS = 5.0
"""How long a turn waits for a PostgreSQL that is being restarted before the turn fails."""
PREPARE_LOCK = int.from_bytes(b"lastword")
"""PostgreSQL's advisory lock that the preparing worker holds."""

_Connection: TypeAlias = psycopg.AsyncConnection[DictRow]

_CONNECTION: dict[str, Any] = {
    "autocommit": True,  # this and the next two as AsyncPostgresSaver.from_conn_string has them
    "prepare_threshold": 0,
    "row_factory": dict_row,
    "connect_timeout": CONNECT_SECONDS,
}


class PostgresServer:
    """A database that any number of machines write."""

    errors = (psycopg.Error,)

    def __init__(self, database: PostgresDatabase) -> None:
        self._url = database.url

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncPostgresSaver]:
        """Open it for one call."""
        # A pool would try again until its time is over, and not say why; one connection fails at
        # once.
        await (await self._connect()).close()
        # One connection, because the saver does one thing at a time; a pool, because it replaces
        # it.
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
        """Make the tables.

        Raises:
            Busy: another worker is making them.
        """
        async with await self._connect() as connection:
            # Not pg_advisory_lock: the index that the saver makes CONCURRENTLY waits for every
            # running statement, also for one that waits for the lock. Closing the connection
            # releases it.
            tried = await connection.execute(
                "SELECT pg_try_advisory_lock(%s) AS ours", [PREPARE_LOCK]
            )
            [lock] = await tried.fetchall()
            if not lock["ours"]:
                raise Busy("another worker has been preparing it for too long")
            await AsyncPostgresSaver(connection).setup()

    async def _connect(self) -> _Connection:
        return await psycopg.AsyncConnection.connect(self._url, **_CONNECTION)
