"""Find the caller among the participants of a room, and end the call when the caller has left.

The caller is one identity for the whole call, also while disconnected. Only the caller is heard,
has their keys accepted, receives the agent's words, and is removed by the hang-up. All other
participants are strangers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from math import inf
from typing import Literal

from livekit import rtc
from livekit.agents import AutoSubscribe, JobContext

from lastword.dispatch import Dispatch
from lastword.events import EndedBy
from lastword.hangup.call_end import CallEnd

RETURN_SECONDS = 5.0
"""How long the caller may be reconnecting, at the server's request or from another device.
Measured: less than a second. (After a network loss, LiveKit itself waits before it reports the
disconnection.)"""

MICROPHONE_SECONDS = 10.0
"""How long a browser may take to publish a microphone, including its permission prompt; after that
it counts as the caller without a microphone."""
CALLER_SECONDS = 120.0
"""How long a call waits for its caller: the time until dialling, and the longest time that networks
let a telephone ring."""

_R = rtc.DisconnectReason
_KIND = rtc.ParticipantKind
_PHONES = {_KIND.PARTICIPANT_KIND_SIP, _KIND.PARTICIPANT_KIND_CONNECTOR}
_MICROPHONE = rtc.TrackSource.SOURCE_MICROPHONE
_MAY_RETURN = {
    None,  # seen when the same identity joins from elsewhere; it has no meaning of its own
    _R.UNKNOWN_REASON,
    _R.DUPLICATE_IDENTITY,
    _R.MIGRATION,
    _R.SERVER_SHUTDOWN,
    _R.STATE_MISMATCH,
    _R.SIGNAL_CLOSE,
}
_OPERATORS = {_R.PARTICIPANT_REMOVED, _R.ROOM_DELETED}
_SERVERS = {_R.SERVER_SHUTDOWN, _R.MIGRATION, _R.STATE_MISMATCH}


_log = logging.getLogger("lastword.call")

Standing = Literal["caller", "candidate", "stranger"]


def standing(participant: rtc.RemoteParticipant, dispatch: Dispatch) -> Standing:
    """Classify a participant of a room whose call has no caller yet.

    If the dispatch names the caller, only that identity is the caller. Otherwise the caller is the
    first phone, or the first browser that publishes a microphone, which a supervisor's listening
    page does not do. If the dispatch says that the call is from a browser, a browser that may
    publish a microphone and has not yet is a candidate. Agents, recorders, and participants that
    may not publish a microphone are strangers.
    """
    if dispatch.participant_identity is not None:
        return "caller" if participant.identity == dispatch.participant_identity else "stranger"
    direction = dispatch.metadata.get("direction")
    if participant.kind in _PHONES and direction != "browser":
        return "caller"
    if participant.kind != _KIND.PARTICIPANT_KIND_STANDARD or not _may_speak(participant):
        return "stranger"
    if any(_is_microphone(track) for track in participant.track_publications.values()):
        return "caller"
    return "candidate" if direction == "browser" else "stranger"


def _joined_at(participant: rtc.RemoteParticipant) -> float:
    """Join time, in seconds since the epoch by the server's clock; infinity if unknown.

    The room lists its participants in no order.
    """
    return participant.joined_at.timestamp() if participant.joined_at else inf


def _may_speak(participant: rtc.Participant) -> bool:
    may = participant.permissions
    sources = may.can_publish_sources
    return may.can_publish and (not sources or _MICROPHONE in sources)


def _is_microphone(track: rtc.TrackPublication) -> bool:
    return track.kind == rtc.TrackKind.KIND_AUDIO and track.source == _MICROPHONE


async def connect(ctx: JobContext) -> None:
    """Join a call's room without a subscription; the caller's audio is subscribed to later."""
    await ctx.connect(auto_subscribe=AutoSubscribe.SUBSCRIBE_NONE)
    # This LiveKit listener ends the job when a participant that claims to be a simulator leaves.
    ctx.room.off("participant_disconnected", ctx._on_simulator_disconnected)  # noqa: SLF001


def end_by_leaving(reason: rtc.DisconnectReason.ValueType | None) -> CallEnd:
    """The end of a call whose caller has left the room: who ended it, and why.

    Removal of the caller and deletion of the room count as ``operator``, reasons of the server as
    ``error``, and all others, including a lost network, as ``caller``.
    """
    name = _name(reason)
    if reason in (None, _R.CLIENT_INITIATED):
        return CallEnd("caller", "caller_hung_up", disconnect_reason=name)
    if reason in _OPERATORS:
        return CallEnd("operator", str(name).lower(), disconnect_reason=name)
    ended_by: EndedBy = "error" if reason in _SERVERS else "caller"
    return CallEnd(ended_by, f"caller_{str(name).lower()}", disconnect_reason=name)


def end_by_disconnection(reason: rtc.DisconnectReason.ValueType) -> CallEnd:
    """The end of a call whose agent was disconnected from the room: who ended it, and why."""
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
    """The caller of one call in its room; ends the call when the caller leaves or the room closes.

    It also ends a call whose caller does not join within ``CALLER_SECONDS``, whoever else is in the
    room.

    Args:
        ctx: the job; ``joined`` connects it.
        dispatch: may name the caller.
        end: ends the call.
        pressed: called with each key that the caller presses, unchecked.
        muted: called when it may have changed, with whether the agent's voice is muted or blocked
            by an administrator of the room.
    """

    def __init__(
        self,
        ctx: JobContext,
        dispatch: Dispatch,
        *,
        end: Callable[[CallEnd], None],
        pressed: Callable[[str], None],
        muted: Callable[[bool], None],
    ) -> None:
        self._ctx = ctx
        self._room = ctx.room
        self._dispatch = dispatch
        self._end = end
        self._pressed = pressed
        self._agent_muted = muted
        self._found: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting: asyncio.TimerHandle | None = None
        self._no_caller: asyncio.TimerHandle | None = None
        self._without_microphone: asyncio.TimerHandle | None = None
        self._heard: rtc.RemoteTrackPublication | None = None
        self._strangers_press = False
        self._had_voice = False
        self.caller: str | None = None
        """Identity of the caller; None before the caller has joined."""
        self.agent: str | None = None
        """Identity of the agent; None before it has joined."""

    async def joined(self) -> str:
        """Join the room and wait for the caller; returns the caller's identity.

        From then on, the call ends when the caller leaves or the room closes.
        """
        if self.agent is None:
            await self._enter()
        return await asyncio.shield(self._found)

    async def _enter(self) -> None:
        self._room.on("participant_disconnected", self._left)
        self._room.on("participant_connected", self._came)
        self._room.on("track_published", self._published)
        self._room.on("track_unpublished", self._unpublished)
        self._room.on("disconnected", self._disconnected)
        self._room.on("sip_dtmf_received", self._key)
        for event in (
            "track_muted",
            "track_unmuted",
            "local_track_published",
            "local_track_unpublished",
            "participant_permissions_changed",
        ):
            self._room.on(event, self._voice_changed)
        await connect(self._ctx)
        self.agent = self._room.local_participant.identity
        for participant in sorted(self._room.remote_participants.values(), key=_joined_at):
            self._look_at(participant)
        if self.caller is None:
            loop = asyncio.get_running_loop()
            end = CallEnd("error", "no_caller")
            self._no_caller = loop.call_later(CALLER_SECONDS, self._end, end)

    def _look_at(self, participant: rtc.RemoteParticipant) -> None:
        if self._found.done():
            return
        match standing(participant, self._dispatch):
            case "caller":
                self._pin(participant.identity)
            case "candidate":  # each new candidate restarts the timer
                self._stop(self._without_microphone)
                self._without_microphone = asyncio.get_running_loop().call_later(
                    MICROPHONE_SECONDS, self._take_candidate
                )
            case _:
                pass

    def _take_candidate(self) -> None:
        """Take the first candidate as the caller; it may have no microphone."""
        for participant in sorted(self._room.remote_participants.values(), key=_joined_at):
            if standing(participant, self._dispatch) == "candidate" and not self._found.done():
                _log.warning("the caller has no microphone")
                self._pin(participant.identity)

    def _pin(self, identity: str) -> None:
        self._stop(self._no_caller)
        self._stop(self._without_microphone)
        self._found.set_result(identity)
        self.caller = identity
        self._hear(self._room.remote_participants.get(identity))

    def _hear(self, caller: rtc.RemoteParticipant | None) -> None:
        """Subscribe to the caller's newest microphone track, and to no other track in the room."""
        tracks = caller.track_publications.values() if caller else ()
        newest = next((track for track in reversed(list(tracks)) if _is_microphone(track)), None)
        if newest is self._heard:
            return
        if self._heard is not None:
            self._heard.set_subscribed(False)
        if newest is not None:
            newest.set_subscribed(True)
        self._heard = newest

    def _published(self, _: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant) -> None:
        self._look_at(participant)
        if participant.identity == self.caller:
            self._hear(participant)

    def _unpublished(
        self, _: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        if participant.identity == self.caller:
            self._hear(participant)

    def _key(self, key: rtc.SipDTMF) -> None:
        if self.caller is not None and key.participant and key.participant.identity == self.caller:
            self._pressed(key.digit)
        elif not self._strangers_press:
            self._strangers_press = True
            _log.warning("a participant other than the caller has pressed keys; dropped")

    def _voice_changed(self, *_: object) -> None:
        """Report whether the agent is muted; before its track is published, it is not."""
        agent = self._room.local_participant
        voices = [track for track in agent.track_publications.values() if _is_microphone(track)]
        self._had_voice = self._had_voice or bool(voices)
        is_gone = self._had_voice and not voices
        is_muted = any(track.muted for track in voices)
        self._agent_muted(is_gone or is_muted or not _may_speak(agent))

    def _left(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity != self.caller:
            return
        if participant.disconnect_reason in _MAY_RETURN:
            self._wait(participant.disconnect_reason)
        else:
            self._gone(participant.disconnect_reason)

    def _wait(self, reason: rtc.DisconnectReason.ValueType | None) -> None:
        self._stop(self._waiting)
        loop = asyncio.get_running_loop()
        self._waiting = loop.call_later(RETURN_SECONDS, self._gone, reason)

    def _gone(self, reason: rtc.DisconnectReason.ValueType | None) -> None:
        if self._room.connection_state == rtc.ConnectionState.CONN_RECONNECTING:
            self._wait(reason)  # the agent is offline and cannot see the caller
        elif self.caller not in self._room.remote_participants:
            self._end(end_by_leaving(reason))

    def _came(self, participant: rtc.RemoteParticipant) -> None:
        self._look_at(participant)
        if participant.identity == self.caller:
            self._stop(self._waiting)
            self._hear(participant)

    def _disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        for timer in (self._waiting, self._no_caller, self._without_microphone):
            self._stop(timer)
        self._end(end_by_disconnection(reason))

    def _stop(self, timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
