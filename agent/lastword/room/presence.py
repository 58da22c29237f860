"""Who is in the room: which of them is the caller, their coming and going, and what it means.

The caller is one identity for the whole call, also while they are away: who is heard, whose keys
count, who reads the agent's words, and who is removed. Everybody else in the room is a stranger.
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
"""How long a caller may be away whom the server has connect anew, or who comes back from another
device. Seen: less than a second. (A lost network is LiveKit's to wait for, before it tells us.)"""

MICROPHONE_SECONDS = 10.0
"""How long the browser of a browser call may take to publish a microphone, the question to its user
included, before it is taken for the caller without one."""
CALLER_SECONDS = 120.0
"""How long a call waits for its caller: a telephone that rings for as long as networks let it, and
the time until it is dialled."""

_R = rtc.DisconnectReason
_KIND = rtc.ParticipantKind
_PHONES = {_KIND.PARTICIPANT_KIND_SIP, _KIND.PARTICIPANT_KIND_CONNECTOR}
_MICROPHONE = rtc.TrackSource.SOURCE_MICROPHONE
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


_log = logging.getLogger("lastword.call")

Standing = Literal["caller", "candidate", "stranger"]


def standing(participant: rtc.RemoteParticipant, dispatch: Dispatch) -> Standing:
    """What somebody in the room is to a call that has no caller so far.

    The caller is whom the dispatch names. Where it names nobody, it is the first phone, or the
    first browser that publishes a microphone: a supervisor's page that only listens does not. Where
    the dispatch says that the call is from a browser, one that could and has not so far is a
    candidate. Agents, recorders, and whoever may not publish a microphone are neither.
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
    """Seconds since the epoch by the server's clock; it lists participants in no order."""
    return participant.joined_at.timestamp() if participant.joined_at else inf


def _may_speak(participant: rtc.Participant) -> bool:
    may = participant.permissions
    sources = may.can_publish_sources
    return may.can_publish and (not sources or _MICROPHONE in sources)


def _is_microphone(track: rtc.TrackPublication) -> bool:
    return track.kind == rtc.TrackKind.KIND_AUDIO and track.source == _MICROPHONE


async def connect(ctx: JobContext) -> None:
    """Join a call's room: nobody is heard until it is known who the caller is."""
    await ctx.connect(auto_subscribe=AutoSubscribe.SUBSCRIBE_NONE)
    # By this listener a participant who calls itself a simulator ends the job by leaving.
    ctx.room.off("participant_disconnected", ctx._on_simulator_disconnected)  # noqa: SLF001


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

    A call whose caller does not come within ``CALLER_SECONDS`` is ended too, whoever else is there.

    Args:
        ctx: the job; it is connected by ``joined``.
        dispatch: may say who the caller is.
        end: ends the call.
        pressed: gets each key of the caller's, unchecked.
        muted: is told whether somebody with power over the room has silenced the agent's voice,
            whenever that may have changed.
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
        """Identity of the caller; None: nobody has joined so far."""
        self.agent: str | None = None
        """Identity of the agent itself; None: it has not joined so far."""

    async def joined(self) -> str:
        """Wait for the caller; from then on, the caller or the room going away ends the call."""
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
            case "candidate":  # the newest has as long as the first
                self._stop(self._without_microphone)
                self._without_microphone = asyncio.get_running_loop().call_later(
                    MICROPHONE_SECONDS, self._take_candidate
                )
            case _:
                pass

    def _take_candidate(self) -> None:
        """Take the first browser for the caller, which may have no microphone at all."""
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
        """Let the server send us the caller's newest microphone, and nothing else of the room."""
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
            _log.warning("somebody who is not the caller presses keys, which are dropped")

    def _voice_changed(self, *_: object) -> None:
        """Say whether the agent can be heard; before its track is published, it is not silenced."""
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
            self._wait(reason)  # it is we who are away, and know nothing of the caller
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
