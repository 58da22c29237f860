"""The graphs' memory: LangGraph's checkpoint savers, opened for one call at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from lastword.errors import MemoryUnavailable, UnwritableFile
from lastword.memory.database import Busy, Database, Memory
from lastword.memory.memory_url import MemoryPlace, SqliteFile

PREPARE_SECONDS = 30.0
"""How long a worker waits while another worker prepares the same memory."""
_PREPARE_PAUSE = 0.05

_log = logging.getLogger("lastword.memory")


@asynccontextmanager
async def open_memory(place: MemoryPlace) -> AsyncIterator[Memory]:
    """Open a prepared memory for one call; ``remembering`` attaches it to a graph.

    A lost connection to PostgreSQL is replaced when the graph next needs one.

    Raises:
        MemoryUnavailable: the memory cannot be opened.
    """
    database = await asyncio.to_thread(database_at, place)
    failures: tuple[type[Exception], ...] = (OSError, *database.errors)
    async with AsyncExitStack() as opened:
        try:
            memory = await opened.enter_async_context(database.open())
        except UnwritableFile as error:
            raise MemoryUnavailable(str(place), error.why) from error
        except failures as error:
            raise MemoryUnavailable(str(place), str(error)) from error
        yield memory


async def open_for_call(
    place: MemoryPlace | None, until: AsyncExitStack, *, join: Callable[[], Awaitable[None]]
) -> Memory | None:
    """Open a call's memory while ``join`` joins the room; ``until`` closes the memory.

    The call continues if its memory cannot be opened: the failure is logged and None is returned,
    which means that the process keeps the call's state. None is also returned without a ``place``.
    Errors of ``join`` are ignored, because the call joins again and then sees them.
    """
    if place is None:
        return None
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_try(join))
        try:
            return await until.enter_async_context(open_memory(place))
        except MemoryUnavailable:
            _log.exception("the memory cannot be opened; this call is kept in the process only")
    return None


async def prepare_memory(
    place: MemoryPlace, *, wait: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Create the missing tables; several workers may do so at the same time.

    Raises:
        MemoryUnavailable: the memory cannot be reached, or its tables cannot be created.
    """
    retrying = AsyncRetrying(
        stop=stop_after_delay(PREPARE_SECONDS),
        wait=wait_fixed(_PREPARE_PAUSE),
        retry=retry_if_exception_type(Busy),
        sleep=wait,
        reraise=True,
    )
    database = await asyncio.to_thread(database_at, place)
    failures: tuple[type[Exception], ...] = (OSError, Busy, *database.errors)
    try:
        async for attempt in retrying:
            with attempt:
                await database.prepare()
    except UnwritableFile as error:
        raise MemoryUnavailable(str(place), error.why) from error
    except failures as error:
        raise MemoryUnavailable(str(place), str(error)) from error


def database_at(place: MemoryPlace) -> Database:
    """The database of a place; imports its client, which blocks for about 0.1 s the first time.

    A job process calls it before its first call, so that the call does not wait for the import.
    """
    if isinstance(place, SqliteFile):
        from lastword.memory.sqlite import SqliteDatabase  # noqa: PLC0415 - an extra

        return SqliteDatabase(place)
    from lastword.memory.postgres import PostgresServer  # noqa: PLC0415 - an extra

    return PostgresServer(place)


async def _try(work: Callable[[], Awaitable[None]]) -> None:
    with suppress(Exception):
        await work()
