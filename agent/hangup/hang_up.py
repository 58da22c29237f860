"""Take a line down, and see that it is down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from livekit import api
from tenacity import (
    AsyncRetrying,
    RetryError,
    before_sleep_log,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
)

ATTEMPTS = 5
"""Tries to remove the line; with the waits between them about 3 s when a server refuses at once."""
ATTEMPT_TIMEOUT = 3.0
"""Seconds that one try may take."""
MAX_SECONDS = 10.0
"""Seconds after which no further try is made."""

_log = logging.getLogger("lastword.hangup")


class LineStillUp(Exception):
    """The server took the removal, but still lists the room."""


class Line(Protocol):
    """What a hang-up needs of a call's line."""

    async def remove(self) -> None:
        """Take the line down for everyone; a line that is already gone is success."""

    async def is_gone(self) -> bool:
        """Ask the server whether the line is gone."""


class RoomLine:
    """A LiveKit room: removing it disconnects everyone in it."""

    def __init__(self, room_service: api.room_service.RoomService, room: str) -> None:
        self._rooms = room_service
        self._room = room

    async def remove(self) -> None:
        """Delete the room."""
        try:
            await self._rooms.delete_room(api.DeleteRoomRequest(room=self._room))
        except api.TwirpError as error:
            if error.code != api.TwirpErrorCode.NOT_FOUND:
                raise

    async def is_gone(self) -> bool:
        """Tell whether the server no longer lists the room."""
        found = await self._rooms.list_rooms(api.ListRoomsRequest(names=[self._room]))
        return not found.rooms


async def hang_up(line: Line, *, wait: Callable[[float], Awaitable[None]] = asyncio.sleep) -> bool:
    """Remove ``line`` and see it gone, with a bounded number of tries.

    Returns True when the line was seen to be gone, False when it may still be up.
    """
    retrying = AsyncRetrying(
        stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(MAX_SECONDS),
        wait=wait_exponential(multiplier=0.2, max=2),
        retry=retry_if_exception_type(Exception),
        before_sleep=before_sleep_log(_log, logging.WARNING),
        sleep=wait,
    )
    try:
        async for attempt in retrying:
            with attempt:
                async with asyncio.timeout(ATTEMPT_TIMEOUT):
                    await line.remove()
                    if not await line.is_gone():
                        raise LineStillUp
    except RetryError:
        return False
    return True
