"""Who the caller is, and what LiveKit says about one who is gone, in the words of a record."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from livekit import rtc
from livekit.rtc._proto.participant_pb2 import ParticipantPermission

from agent.dispatch import read_dispatch
from agent.hangup.call_end import CallEnd
from agent.presence import end_by_disconnection, end_by_leaving, standing

LEAVING = {
    None: ("caller", "caller_hung_up"),
    "CLIENT_INITIATED": ("caller", "caller_hung_up"),
    "SIGNAL_CLOSE": ("caller", "caller_signal_close"),
    "CONNECTION_TIMEOUT": ("caller", "caller_connection_timeout"),
    "DUPLICATE_IDENTITY": ("caller", "caller_duplicate_identity"),
    "PARTICIPANT_REMOVED": ("operator", "participant_removed"),
    "ROOM_DELETED": ("operator", "room_deleted"),
    "SERVER_SHUTDOWN": ("error", "caller_server_shutdown"),
}
DISCONNECTED = {
    "ROOM_DELETED": ("operator", "room_deleted"),
    "PARTICIPANT_REMOVED": ("operator", "agent_removed"),
    "ROOM_CLOSED": ("caller", "caller_hung_up"),
    "SERVER_SHUTDOWN": ("error", "agent_server_shutdown"),
    "UNKNOWN_REASON": ("error", "agent_unknown_reason"),
    "DUPLICATE_IDENTITY": ("error", "agent_duplicate_identity"),
}


def value(name: str) -> rtc.DisconnectReason.ValueType:
    return rtc.DisconnectReason.Value(name)


@pytest.mark.parametrize("name", LEAVING)
def test_who_ended_a_call_that_the_caller_left(name: str | None) -> None:
    ended_by, reason = LEAVING[name]
    end = end_by_leaving(None if name is None else value(name))
    assert (end.ended_by, end.reason, end.disconnect_reason) == (ended_by, reason, name)


@pytest.mark.parametrize("name", DISCONNECTED)
def test_who_ended_a_call_whose_room_the_agent_lost(name: str) -> None:
    ended_by, reason = DISCONNECTED[name]
    end = end_by_disconnection(value(name))
    assert (end.ended_by, end.reason, end.disconnect_reason) == (ended_by, reason, name)


@pytest.mark.parametrize("name", rtc.DisconnectReason.keys())
def test_livekit_has_no_reason_without_a_record(name: str) -> None:
    for end in (end_by_leaving(value(name)), end_by_disconnection(value(name))):
        assert isinstance(end, CallEnd)
        assert end.disconnect_reason == name
        assert end.reason == end.reason.lower()


@dataclass
class Track:
    """What there is to know of a published track."""

    kind: rtc.TrackKind.ValueType = rtc.TrackKind.KIND_AUDIO
    source: rtc.TrackSource.ValueType = rtc.TrackSource.SOURCE_MICROPHONE


MICROPHONE = Track()
CAMERA = Track(rtc.TrackKind.KIND_VIDEO, rtc.TrackSource.SOURCE_CAMERA)
SCREEN_SOUND = Track(source=rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO)
ANY = ParticipantPermission(can_subscribe=True, can_publish=True, can_publish_data=True)
NONE = ParticipantPermission()
SPEAKS = ParticipantPermission(
    can_publish=True, can_publish_sources=[rtc.TrackSource.SOURCE_MICROPHONE]
)
SHOWS = ParticipantPermission(can_publish=True, can_publish_sources=[rtc.TrackSource.SOURCE_CAMERA])


@dataclass
class Person:
    """Somebody in the room."""

    kind: str = "STANDARD"
    permissions: ParticipantPermission = field(default_factory=lambda: ANY)
    tracks: tuple[Track, ...] = ()
    identity: str = "anna"

    @property
    def participant(self) -> rtc.RemoteParticipant:
        return cast("rtc.RemoteParticipant", _Participant(self))


class _Participant:
    def __init__(self, person: Person) -> None:
        self.identity = person.identity
        self.kind = rtc.ParticipantKind.Value(f"PARTICIPANT_KIND_{person.kind}")
        self.permissions = person.permissions
        self.track_publications = dict(enumerate(person.tracks))


STANDINGS: list[tuple[Person, dict[str, Any], str]] = [
    (Person("SIP"), {}, "caller"),
    (Person("SIP"), {"direction": "inbound"}, "caller"),
    (Person("SIP"), {"direction": "outbound"}, "caller"),
    (Person("SIP"), {"direction": "browser"}, "stranger"),
    (Person("CONNECTOR"), {}, "caller"),
    (Person("AGENT", tracks=(MICROPHONE,)), {}, "stranger"),
    (Person("EGRESS", tracks=(MICROPHONE,)), {}, "stranger"),
    (Person("INGRESS", tracks=(MICROPHONE,)), {}, "stranger"),
    (Person(tracks=(MICROPHONE,)), {}, "caller"),
    (Person(tracks=(CAMERA, MICROPHONE)), {"direction": "browser"}, "caller"),
    (Person(tracks=(MICROPHONE,)), {"direction": "outbound"}, "caller"),
    (Person(permissions=SPEAKS, tracks=(MICROPHONE,)), {}, "caller"),
    (Person(), {}, "candidate"),
    (Person(), {"direction": "browser"}, "candidate"),
    (Person(permissions=SPEAKS), {}, "candidate"),
    (Person(tracks=(CAMERA, SCREEN_SOUND)), {}, "candidate"),
    (Person(), {"direction": "inbound"}, "stranger"),
    (Person(), {"direction": "outbound"}, "stranger"),
    (Person(permissions=NONE), {}, "stranger"),
    (Person(permissions=SHOWS, tracks=(CAMERA,)), {}, "stranger"),
    (Person(), {"participant_identity": "anna"}, "caller"),
    (Person(permissions=NONE), {"participant_identity": "anna"}, "caller"),
    (Person("AGENT"), {"participant_identity": "anna"}, "caller"),
    (Person("SIP", identity="bob"), {"participant_identity": "anna"}, "stranger"),
    (Person(tracks=(MICROPHONE,), identity="bob"), {"participant_identity": "anna"}, "stranger"),
]


@pytest.mark.parametrize(("person", "metadata", "found"), STANDINGS)
def test_who_in_the_room_is_the_caller(
    person: Person, metadata: dict[str, Any], found: str
) -> None:
    assert standing(person.participant, read_dispatch(json.dumps(metadata))) == found
