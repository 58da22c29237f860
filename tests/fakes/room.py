"""A LiveKit room without a server: its participants, their tracks and their events.

``FakeRoom`` has the part of ``rtc.Room`` that ``lastword.room.presence`` uses, and its events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from livekit import rtc
from livekit.agents import AutoSubscribe, JobContext
from livekit.rtc._proto.participant_pb2 import ParticipantPermission

_R = rtc.DisconnectReason
ANY = ParticipantPermission(can_subscribe=True, can_publish=True, can_publish_data=True)
NONE = ParticipantPermission()


@dataclass(eq=False)
class Track:
    """A published track; ``wanted``: the agent has subscribed to it."""

    kind: rtc.TrackKind.ValueType = rtc.TrackKind.KIND_AUDIO
    source: rtc.TrackSource.ValueType = rtc.TrackSource.SOURCE_MICROPHONE
    muted: bool = False
    wanted: bool = False

    def set_subscribed(self, subscribed: bool) -> None:
        self.wanted = subscribed


def camera() -> Track:
    return Track(rtc.TrackKind.KIND_VIDEO, rtc.TrackSource.SOURCE_CAMERA)


@dataclass
class Person:
    """A participant of the room, which may be the agent."""

    identity: str = "anna"
    kind: str = "STANDARD"
    permissions: ParticipantPermission = field(default_factory=lambda: ANY)
    tracks: tuple[Track, ...] = ()
    joined: int = 0
    """Seconds on the server's clock; the server lists participants in no particular order."""
    disconnect_reason: rtc.DisconnectReason.ValueType | None = None

    def __post_init__(self) -> None:
        self.track_publications = {str(number): one for number, one in enumerate(self.tracks)}

    @property
    def participant(self) -> rtc.RemoteParticipant:
        """The participant itself, cast to LiveKit's type."""
        return cast("rtc.RemoteParticipant", _Participant(self))


class _Participant:
    def __init__(self, person: Person) -> None:
        self.identity = person.identity
        self.kind = rtc.ParticipantKind.Value(f"PARTICIPANT_KIND_{person.kind}")
        self.permissions = person.permissions
        self.track_publications = person.track_publications
        self.joined_at = datetime.fromtimestamp(person.joined, UTC)
        self.disconnect_reason = person.disconnect_reason


class FakeRoom(rtc.EventEmitter[Any]):
    """The room; a test controls its participants."""

    def __init__(self, *people: Person) -> None:
        super().__init__()
        self.connection_state = rtc.ConnectionState.CONN_CONNECTED
        self.remote_participants = {one.identity: one.participant for one in people}
        self.agent = Person("agent", "AGENT")
        self.local_participant = self.agent.participant

    def joins(self, person: Person) -> None:
        self.remote_participants[person.identity] = person.participant
        self.emit("participant_connected", person.participant)

    def leaves(self, person: Person, reason: str = "CLIENT_INITIATED") -> None:
        del self.remote_participants[person.identity]
        person.disconnect_reason = _R.Value(reason)
        self.emit("participant_disconnected", person.participant)

    def publishes(self, person: Person, track: Track | None = None) -> Track:
        track = track or Track()
        person.track_publications[str(id(track))] = track
        self.emit("track_published", track, person.participant)
        return track

    def unpublishes(self, person: Person, track: Track) -> None:
        del person.track_publications[str(id(track))]
        self.emit("track_unpublished", track, person.participant)

    def presses(self, person: Person | None, key: str) -> None:
        participant = person.participant if person else None
        self.emit("sip_dtmf_received", rtc.SipDTMF(code=1, digit=key, participant=participant))

    def agent_publishes(self) -> Track:
        track = Track()
        self.agent.track_publications[str(id(track))] = track
        self.emit("local_track_published", track, None)
        return track

    def agent_unpublishes(self, track: Track) -> None:
        del self.agent.track_publications[str(id(track))]
        self.emit("local_track_unpublished", track)

    def mutes(self, track: Track, *, muted: bool) -> None:
        track.muted = muted
        self.emit("track_muted" if muted else "track_unmuted", self.local_participant, track)

    def permits(self, permissions: ParticipantPermission) -> None:
        self.agent.permissions = permissions
        self.local_participant = self.agent.participant
        self.emit("participant_permissions_changed", self.local_participant, permissions)


class FakeJob:
    """A job that joins its room at once."""

    def __init__(self, room: FakeRoom) -> None:
        self.room = room
        self.joined_with: AutoSubscribe | None = None
        self.is_ended_by_simulator = False

    async def connect(self, *, auto_subscribe: AutoSubscribe) -> None:
        self.joined_with = auto_subscribe
        self.room.on("participant_disconnected", self._on_simulator_disconnected)

    def _on_simulator_disconnected(self, participant: rtc.RemoteParticipant) -> None:
        self.is_ended_by_simulator = True

    @property
    def context(self) -> JobContext:
        return cast("JobContext", self)
