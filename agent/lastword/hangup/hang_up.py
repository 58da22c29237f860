"""Take a line down, and check that it is down."""

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
"""Attempts to remove a line; about 3 s in all if the server refuses each at once."""
ATTEMPT_TIMEOUT = 3.0
"""Time limit of one attempt, in seconds."""
MAX_SECONDS = 10.0
"""Time limit of all attempts for one line, in seconds."""

RETURN_SECONDS = 1.0
"""Seconds until a caller that missed the removal has reconnected; measured: 0.3 s."""

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
    """The server accepted the removal, but still lists the line."""


class NobodyThere(Exception):
    """The participant to be removed has not joined."""


class Line(Protocol):
    """What a hang-up can remove to end a call."""

    @property
    def name(self) -> str:
        """What is removed: "room", "caller" or "agent"."""

    async def remove(self) -> None:
        """Take the line down; does nothing if it is already gone."""

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
        """Do nothing."""

    async def is_gone(self) -> bool:
        """Return True."""
        return True


class ParticipantLine:
    """One participant of a room, the caller or the agent; the others stay.

    Args:
        name: "caller" or "agent".
        room_service: LiveKit's server API.
        room: the room's name.
        identity: returns the participant's identity; None before the participant has joined.
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
        """Remove the participant; a SIP participant receives a BYE.

        Raises:
            NobodyThere: the participant has not joined.
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
    """Whether a retry may help: after a time-out, a lost connection or a server error."""
    if isinstance(error, api.TwirpError):
        return error.code in _PASSING_CODES or error.status >= _SERVER_ERROR
    return isinstance(error, LineStillUp | TimeoutError | OSError | aiohttp.ClientError)


async def hang_up(
    lines: Sequence[Line], *, wait: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> str | None:
    """Take down the first of ``lines`` that can be taken down, and check that it is gone.

    Each line has ``ATTEMPTS`` attempts; if they fail, the next line is tried.

    Returns the name of the line that is confirmed to be gone; None if all may still be up.
    """
    for line in lines:
        if await _remove(line, wait):
            return line.name
    return None


async def keep_gone(
    line: Line, *, wait: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> bool:
    """Check after ``RETURN_SECONDS`` whether a line is still gone; if not, take it down again.

    A client that missed the server's message takes the closed connection for a network failure and
    reconnects; if the server creates rooms automatically, the client is then alone in a new room.

    Returns whether the line had come back.
    """
    await wait(RETURN_SECONDS)
    try:
        is_back = not await line.is_gone()
    except Exception:  # noqa: BLE001 - it was confirmed to be gone before
        _log.exception("the server could not be asked whether the %s has come back", line.name)
        return False
    if is_back:
        _log.warning("the %s has come back; removing it again", line.name)
        await hang_up([line], wait=wait)
    return is_back


async def persistently(
    work: Callable[[], Awaitable[T]],
    failed: str,
    *,
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Do ``work`` with retries: up to ``ATTEMPTS`` attempts within ``MAX_SECONDS``.

    ``failed`` is logged before each retry. Raises the last exception of ``work``, at once if a
    retry cannot help (see ``is_passing``), and TimeoutError after ``MAX_SECONDS``.
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
    except Exception:  # noqa: BLE001 - the next line is tried after any failure
        _log.exception("the %s could not be removed", line.name)
        return False
    return True


async def surely(work: Coroutine[Any, Any, object]) -> None:
    """Finish ``work`` even if this task is cancelled meanwhile, any number of times."""
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(work)
        while not working.done():
            try:
                await asyncio.shield(working)
            except asyncio.CancelledError:
                _log.warning("cancelled while hanging up; finishing the hang-up first")
