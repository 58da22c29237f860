"""Who is in the room: the caller's coming and going, and what it means for the call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from livekit import rtc
from livekit.agents import JobContext

from agent.hangup.call_end import CallEnd
from agent.journal import EndedBy

RETURN_SECONDS = 5.0
"""How long a caller may be away whom the server has connect anew, or who comes back from another
device. Seen: less than a second. (A lost network is LiveKit's to wait for, before it tells us.)"""

_R = rtc.DisconnectReason
_MAY_RETURN = {
    None,  # what a caller of the same identity who joins elsewhere gives; what it says is nothing
    _R.UNKNOWN_REASON,
    _R.DUPLICATE_IDENTITY,
    _R.MIGRATION,
    _R.SERVER_SHUTDOWN,
    _R.STATE_MISMATCH,
    _R.SIGNAL_CLOSE,
}
_OPERATORS = {_R.PARTICIPANT_REMOVED, _R.ROOM_DELETED}
_SERVERS = {_R.SERVER_SHUTDOWN, _R.MIGRATION, _R.STATE_MISMATCH}


def end_by_leaving(reason: rtc.DisconnectReason.ValueType | None) -> CallEnd:
    """Say who ended a call whose caller has left the room, and why.

    Being removed, or the room being deleted, is an operator's doing, and what the server does to
    itself is an error; everything else, a lost network too, is the caller's.
    """
    name = _name(reason)
    if reason in (None, _R.CLIENT_INITIATED):
        return CallEnd("caller", "caller_hung_up", disconnect_reason=name)
    if reason in _OPERATORS:
        return CallEnd("operator", str(name).lower(), disconnect_reason=name)
    ended_by: EndedBy = "error" if reason in _SERVERS else "caller"
    return CallEnd(ended_by, f"caller_{str(name).lower()}", disconnect_reason=name)


def end_by_disconnection(reason: rtc.DisconnectReason.ValueType) -> CallEnd:
    """Say who ended a call from whose room the agent was disconnected, and why."""
    name = _R.Name(reason)
    match reason:
        case _R.ROOM_DELETED:
            return CallEnd("operator", "room_deleted", disconnect_reason=name)
        case _R.PARTICIPANT_REMOVED:
            return CallEnd("operator", "agent_removed", disconnect_reason=name)
        case _R.CLIENT_INITIATED:
            return CallEnd("operator", "worker_shutdown", disconnect_reason=name)
        case _R.ROOM_CLOSED:
            return CallEnd("caller", "caller_hung_up", disconnect_reason=name)
        case _:
            return CallEnd("error", f"agent_{name.lower()}", disconnect_reason=name)


def _name(reason: rtc.DisconnectReason.ValueType | None) -> str | None:
    return None if reason is None else _R.Name(reason)


class Presence:
    """The caller of one call in its room; ends the call when the caller or the room is gone.

    Args:
        ctx: the job; it is connected by ``joined``.
        end: ends the call.
    """

    def __init__(self, ctx: JobContext, end: Callable[[CallEnd], None]) -> None:
        self._ctx = ctx
        self._room = ctx.room
        self._end = end
        self._waiting: asyncio.TimerHandle | None = None
        self.caller: str | None = None
        """Identity of the caller; None: nobody has joined so far."""
        self.agent: str | None = None
        """Identity of the agent itself; None: it has not joined so far."""

    async def joined(self) -> str:
        """Wait for the caller; from then on, the caller or the room going away ends the call."""
        self._room.on("participant_disconnected", self._left)
        self._room.on("participant_connected", self._came)
        self._room.on("disconnected", self._disconnected)
        await self._ctx.connect()
        self.agent = self._room.local_participant.identity
        self.caller = (await self._ctx.wait_for_participant()).identity
        if self.caller not in self._room.remote_participants:
            self._gone(None)
        return self.caller

    def _left(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity != self.caller:
            return
        if participant.disconnect_reason in _MAY_RETURN:
            self._forget()
            loop = asyncio.get_running_loop()
            reason = participant.disconnect_reason
            self._waiting = loop.call_later(RETURN_SECONDS, self._gone, reason)
        else:
            self._gone(participant.disconnect_reason)

    def _gone(self, reason: rtc.DisconnectReason.ValueType | None) -> None:
        if self.caller not in self._room.remote_participants:
            self._end(end_by_leaving(reason))

    def _came(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == self.caller:
            self._forget()

    def _disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        self._forget()
        self._end(end_by_disconnection(reason))

    def _forget(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
