"""Take a line down, and see that it is down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

import aiohttp
from livekit import api
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
)

ATTEMPTS = 5
"""Tries to remove a line; with the waits between them about 3 s when a server refuses at once."""
ATTEMPT_TIMEOUT = 3.0
"""Seconds that one try may take."""
MAX_SECONDS = 10.0
"""Seconds after which a line is given up."""

RETURN_SECONDS = 1.0
"""Until then a caller is back that missed the server's word and connected anew; seen: 0.3 s."""

_SERVER_ERROR = 500
_PASSING_CODES = {
    api.TwirpErrorCode.CANCELED,
    api.TwirpErrorCode.DEADLINE_EXCEEDED,
    api.TwirpErrorCode.RESOURCE_EXHAUSTED,
    api.TwirpErrorCode.ABORTED,
    api.TwirpErrorCode.INTERNAL,
    api.TwirpErrorCode.UNAVAILABLE,
    api.TwirpErrorCode.UNKNOWN,
}

T = TypeVar("T")

_log = logging.getLogger("lastword.hangup")


class LineStillUp(Exception):
    """The server took the removal, but still lists what was to be removed."""


class NobodyThere(Exception):
    """The caller is to be removed, but none has joined."""


class Line(Protocol):
    """What a hang-up needs of a call's line."""

    @property
    def name(self) -> str:
        """What is removed: "room", "caller" or "agent"."""

    async def remove(self) -> None:
        """Take the line down; one that is already gone is success."""

    async def is_gone(self) -> bool:
        """Ask the server whether the line is gone."""


class RoomLine:
    """A LiveKit room: removing it disconnects everyone in it."""

    name = "room"

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


class NoLine:
    """The line of a call whose room is known to be gone."""

    name = "room"

    async def remove(self) -> None:
        """There is nothing to take down."""

    async def is_gone(self) -> bool:
        """It is."""
        return True


class ParticipantLine:
    """One participant of a room, the caller or the agent: the others stay.

    Args:
        name: "caller" or "agent".
        room_service: LiveKit's server API.
        room: the room's name.
        identity: tells the participant's identity; None: nobody has joined.
    """

    def __init__(
        self,
        name: str,
        room_service: api.room_service.RoomService,
        room: str,
        identity: Callable[[], str | None],
    ) -> None:
        self.name = name
        self._rooms = room_service
        self._room = room
        self._identity = identity

    async def remove(self) -> None:
        """Remove the participant; a phone on a SIP leg gets its BYE.

        Raises:
            NobodyThere: nobody has joined.
        """
        try:
            await self._rooms.remove_participant(self._who())
        except api.TwirpError as error:
            if error.code != api.TwirpErrorCode.NOT_FOUND:
                raise

    async def is_gone(self) -> bool:
        """Tell whether the server no longer lists the participant."""
        try:
            found = await self._rooms.list_participants(
                api.ListParticipantsRequest(room=self._room)
            )
        except api.TwirpError as error:
            if error.code == api.TwirpErrorCode.NOT_FOUND:
                return True
            raise
        return self._who().identity not in {one.identity for one in found.participants}

    def _who(self) -> api.RoomParticipantIdentity:
        identity = self._identity()
        if identity is None:
            raise NobodyThere
        return api.RoomParticipantIdentity(room=self._room, identity=identity)


def is_passing(error: BaseException) -> bool:
    """Whether asking again may help: time-outs, lost connections, a server in trouble."""
    if isinstance(error, api.TwirpError):
        return error.code in _PASSING_CODES or error.status >= _SERVER_ERROR
    return isinstance(error, LineStillUp | TimeoutError | OSError | aiohttp.ClientError)


async def hang_up(
    lines: Sequence[Line], *, wait: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> str | None:
    """Take down the first of ``lines`` that can be taken down, and see it gone.

    Each has a bounded number of tries; the next one is what is left to do when they have failed.

    Returns the name of the line that was seen to be gone; None when all may still be up.
    """
    for line in lines:
        if await _remove(line, wait):
            return line.name
    return None


async def keep_gone(
    line: Line, *, wait: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> bool:
    """Look once more whether a line is gone, and take it down again if it has come back.

    A client that missed the server's word sees its connection closed, takes that for a bad network
    and connects anew; on a server that makes rooms by itself it then sits in one alone.

    Returns whether the line had come back.
    """
    await wait(RETURN_SECONDS)
    try:
        is_back = not await line.is_gone()
    except Exception:  # noqa: BLE001 - it was seen to be gone
        _log.exception("nobody can say whether the %s has come back", line.name)
        return False
    if is_back:
        _log.warning("the %s has come back, and is removed again", line.name)
        await hang_up([line], wait=wait)
    return is_back


async def persistently(
    work: Callable[[], Awaitable[T]],
    failed: str,
    *,
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Ask a server as often as a hang-up may, ``ATTEMPTS`` times in ``MAX_SECONDS``.

    Raises what ``work`` has raised last, and at once what will not pass; ``failed`` is for the log.
    """

    def again(state: RetryCallState) -> None:
        why = state.outcome.exception() if state.outcome else None
        _log.warning("%s, trying again: %r", failed, why)

    retrying = AsyncRetrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=0.2, max=2),
        retry=retry_if_exception(is_passing),
        before_sleep=again,
        sleep=wait,
        reraise=True,
    )

    async def once() -> T:
        async with asyncio.timeout(ATTEMPT_TIMEOUT):
            return await work()

    async with asyncio.timeout(MAX_SECONDS):
        return await retrying(once)


async def _remove(line: Line, wait: Callable[[float], Awaitable[None]]) -> bool:
    async def gone() -> None:
        await line.remove()
        if not await line.is_gone():
            raise LineStillUp

    try:
        await persistently(gone, f"the {line.name} is not removed yet", wait=wait)
    except NobodyThere:
        return False
    except Exception:  # noqa: BLE001 - whatever fails, the next line is tried
        _log.exception("the %s could not be removed", line.name)
        return False
    return True


async def surely(work: Coroutine[Any, Any, object]) -> None:
    """Finish ``work`` even when this task is cancelled again and again meanwhile."""
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(work)
        while not working.done():
            try:
                await asyncio.shield(working)
            except asyncio.CancelledError:
                _log.warning("cancelled while hanging up; the line is taken down first")
