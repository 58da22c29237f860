"""A SQLite file as the graphs' memory; its client comes with the extra ``sqlite``."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosqlite
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from lastword.memory.database import Busy
from lastword.memory.memory_types import StateSerializer
from lastword.memory.memory_url import SqliteFile
from lastword.private_files import keep_database_private

BUSY_SECONDS = 5.0
"""How long a write waits while another process writes to the same SQLite file."""


class SqliteDatabase:
    """A SQLite file that all job processes of one machine share."""

    errors = (sqlite3.Error,)

    def __init__(self, file: SqliteFile) -> None:
        self._path = file.path

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncSqliteSaver]:
        """Open the database for one call."""
        await asyncio.to_thread(keep_database_private, self._path)
        async with aiosqlite.connect(self._path, timeout=BUSY_SECONDS) as connection:
            # In WAL mode, which the saver sets, NORMAL may lose the last writes in a power failure
            # but never corrupts the file; FULL would wait for the disk at every step of the graph.
            await connection.execute("PRAGMA synchronous=NORMAL")
            saver = AsyncSqliteSaver(connection, serde=StateSerializer())
            await saver.setup()
            yield saver

    async def prepare(self) -> None:
        """Create the missing tables.

        Raises:
            Busy: another process writes to the file.
        """
        try:
            async with self.open():
                pass
        except sqlite3.OperationalError as error:
            # Unlike later writes, the change of a new file to WAL mode does not wait for a writer.
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise Busy(str(error)) from error
            raise
