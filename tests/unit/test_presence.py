"""Who the caller is, and what LiveKit says about one who is gone, in the words of a record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import AutoSubscribe
from livekit.rtc._proto.participant_pb2 import ParticipantPermission

from lastword.dispatch import read_dispatch
from lastword.hangup.call_end import CallEnd
from lastword.room.presence import (
    CALLER_SECONDS,
    MICROPHONE_SECONDS,
    RETURN_SECONDS,
    Presence,
    end_by_disconnection,
    end_by_leaving,
    standing,
)
from tests.fakes.room import ANY, NONE, FakeJob, FakeRoom, Person, Track, camera

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


MICROPHONE = Track()
CAMERA = camera()
SCREEN_SOUND = Track(source=rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO)
SPEAKS = ParticipantPermission(
    can_publish=True, can_publish_sources=[rtc.TrackSource.SOURCE_MICROPHONE]
)
SHOWS = ParticipantPermission(can_publish=True, can_publish_sources=[rtc.TrackSource.SOURCE_CAMERA])

STANDINGS: list[tuple[Person, dict[str, Any], str]] = [
    (Person(kind="SIP"), {}, "caller"),
    (Person(kind="SIP"), {"direction": "inbound"}, "caller"),
    (Person(kind="SIP"), {"direction": "outbound"}, "caller"),
    (Person(kind="SIP"), {"direction": "browser"}, "stranger"),
    (Person(kind="CONNECTOR"), {}, "caller"),
    (Person(kind="AGENT", tracks=(MICROPHONE,)), {}, "stranger"),
    (Person(kind="EGRESS", tracks=(MICROPHONE,)), {}, "stranger"),
    (Person(kind="INGRESS", tracks=(MICROPHONE,)), {}, "stranger"),
    (Person(tracks=(MICROPHONE,)), {}, "caller"),
    (Person(tracks=(CAMERA, MICROPHONE)), {"direction": "browser"}, "caller"),
    (Person(tracks=(MICROPHONE,)), {"direction": "outbound"}, "caller"),
    (Person(permissions=SPEAKS, tracks=(MICROPHONE,)), {}, "caller"),
    (Person(), {}, "stranger"),
    (Person(), {"direction": "browser"}, "candidate"),
    (Person(permissions=SPEAKS), {"direction": "browser"}, "candidate"),
    (Person(tracks=(CAMERA, SCREEN_SOUND)), {"direction": "browser"}, "candidate"),
    (Person(permissions=NONE), {"direction": "browser"}, "stranger"),
    (Person(), {"direction": "inbound"}, "stranger"),
    (Person(), {"direction": "outbound"}, "stranger"),
    (Person(permissions=NONE), {}, "stranger"),
    (Person(permissions=SHOWS, tracks=(CAMERA,)), {}, "stranger"),
    (Person(), {"participant_identity": "anna"}, "caller"),
    (Person(permissions=NONE), {"participant_identity": "anna"}, "caller"),
    (Person(kind="AGENT"), {"participant_identity": "anna"}, "caller"),
    (Person(kind="SIP", identity="bob"), {"participant_identity": "anna"}, "stranger"),
    (Person(tracks=(MICROPHONE,), identity="bob"), {"participant_identity": "anna"}, "stranger"),
]


@pytest.mark.parametrize(("person", "metadata", "found"), STANDINGS)
def test_who_in_the_room_is_the_caller(
    person: Person, metadata: dict[str, Any], found: str
) -> None:
    assert standing(person.participant, read_dispatch(json.dumps(metadata))) == found


class Call:
    """A call that waits for its caller in a room, and what the presence says of it."""

    def __init__(self, room: FakeRoom, **metadata: Any) -> None:
        self.job = FakeJob(room)
        self.ends: list[tuple[str, str]] = []
        self.keys: list[str] = []
        self.muted: list[bool] = []
        self.presence = Presence(
            self.job.context,
            read_dispatch(json.dumps(metadata)),
            end=lambda end: self.ends.append((end.ended_by, end.reason)),
            pressed=self.keys.append,
            muted=self.muted.append,
        )

    @property
    def caller(self) -> str | None:
        return self.presence.caller


@asynccontextmanager
async def waiting(room: FakeRoom, **metadata: Any) -> AsyncIterator[Call]:
    call = Call(room, **metadata)
    async with asyncio.TaskGroup() as tasks:
        joining = tasks.create_task(call.presence.joined())
        await asyncio.sleep(0.001)
        yield call
        joining.cancel()


virtual = pytest.mark.looptime


@virtual
async def test_the_room_is_joined_without_hearing_anybody() -> None:
    anna = Person(tracks=(Track(), camera()))
    bob = Person("bob", tracks=(Track(),), joined=1)
    async with waiting(FakeRoom(bob, anna)) as call:
        assert call.job.joined_with is AutoSubscribe.SUBSCRIBE_NONE
        assert call.caller == "anna", "the first, however the server lists them"
        assert [track.wanted for track in (*anna.tracks, *bob.tracks)] == [True, False, False]


@virtual
async def test_whoever_calls_itself_a_simulator_ends_no_job() -> None:
    room, bob = FakeRoom(Person(tracks=(Track(),))), Person("bob")
    async with waiting(room) as call:
        room.joins(bob)
        room.leaves(bob)
        assert (call.ends, call.job.is_ended_by_simulator) == ([], False)


@virtual
@pytest.mark.parametrize("direction", [None, "inbound", "outbound"])
async def test_p14_a_call_whose_caller_does_not_come_ends_whoever_is_there(
    direction: str | None,
) -> None:
    metadata = {} if direction is None else {"direction": direction}
    room = FakeRoom(Person("watcher"), Person("viewer", permissions=NONE))
    async with waiting(room, **metadata) as call:
        await asyncio.sleep(CALLER_SECONDS - 1)
        assert (call.caller, call.ends) == (None, [])
        await asyncio.sleep(1)
        assert call.ends == [("error", "no_caller")]


@virtual
async def test_p14_a_caller_who_is_named_and_does_not_come_ends_the_call_too() -> None:
    async with waiting(FakeRoom(Person(tracks=(Track(),))), participant_identity="eva") as call:
        await asyncio.sleep(CALLER_SECONDS + 1)
        assert (call.caller, call.ends) == (None, [("error", "no_caller")])


@virtual
@pytest.mark.parametrize("later", [1, MICROPHONE_SECONDS + 1, CALLER_SECONDS - 1])
@pytest.mark.parametrize("caller", [Person(kind="SIP"), Person(tracks=(Track(),))])
async def test_a_watcher_is_not_the_caller_however_long_it_waits(
    caller: Person, later: float
) -> None:
    room, watcher = FakeRoom(Person("watcher")), Person("watcher")
    async with waiting(room) as call:
        await asyncio.sleep(later)
        room.joins(caller)
        assert call.caller == "anna"
        room.leaves(watcher)
        await asyncio.sleep(2 * CALLER_SECONDS)
        assert call.ends == []


@virtual
async def test_p14_the_browser_of_a_browser_call_is_the_caller_also_without_a_microphone() -> None:
    async with waiting(FakeRoom(Person()), direction="browser") as call:
        await asyncio.sleep(MICROPHONE_SECONDS - 1)
        assert call.caller is None
        await asyncio.sleep(1)
        assert call.caller == "anna"


@virtual
async def test_each_browser_has_the_time_to_publish_its_microphone() -> None:
    room, anna = FakeRoom(Person("watcher")), Person()
    async with waiting(room, direction="browser") as call:
        await asyncio.sleep(MICROPHONE_SECONDS - 1)
        room.joins(anna)
        await asyncio.sleep(MICROPHONE_SECONDS - 1)
        room.publishes(anna)
        assert call.caller == "anna"


@virtual
async def test_a_browser_that_has_left_is_not_the_caller() -> None:
    room, anna = FakeRoom(), Person()
    async with waiting(room, direction="browser") as call:
        room.joins(anna)
        room.leaves(anna)
        await asyncio.sleep(MICROPHONE_SECONDS + 1)
        assert call.caller is None
        room.joins(Person("bob", tracks=(Track(),)))
        assert call.caller == "bob"


@virtual
async def test_the_callers_newest_microphone_is_heard_and_no_other() -> None:
    room, anna = FakeRoom(), Person(tracks=(Track(),))
    async with waiting(room):
        room.joins(anna)
        second, third = room.publishes(anna), room.publishes(anna)
        room.publishes(anna, camera())
        assert [track.wanted for track in (*anna.tracks, second, third)] == [False, False, True]
        room.unpublishes(anna, third)
        assert second.wanted


@virtual
async def test_keys_are_the_callers() -> None:
    room, anna, bob = FakeRoom(), Person(tracks=(Track(),)), Person("bob", tracks=(Track(),))
    async with waiting(room) as call:
        room.presses(bob, "1")
        room.joins(anna)
        room.joins(bob)
        for person, key in ((bob, "2"), (None, "3"), (anna, "4")):
            room.presses(person, key)
        assert call.keys == ["4"]
        room.leaves(anna, "DUPLICATE_IDENTITY")
        room.presses(bob, "5")
        assert call.keys == ["4"]


@virtual
async def test_a_caller_who_may_return_has_the_time_to() -> None:
    room, anna = FakeRoom(), Person(tracks=(Track(),))
    async with waiting(room) as call:
        room.joins(anna)
        room.leaves(anna, "SIGNAL_CLOSE")
        room.joins(Person("bob", tracks=(Track(),)))
        await asyncio.sleep(RETURN_SECONDS - 1)
        back = Person(tracks=(Track(),))
        room.joins(back)
        assert back.tracks[0].wanted
        await asyncio.sleep(2 * RETURN_SECONDS)
        assert (call.caller, call.ends) == ("anna", [])
        room.leaves(back, "SIGNAL_CLOSE")
        await asyncio.sleep(RETURN_SECONDS + 1)
        assert call.ends == [("caller", "caller_signal_close")]


@virtual
async def test_while_the_agent_itself_is_away_nothing_is_known_of_the_caller() -> None:
    room, anna = FakeRoom(), Person(tracks=(Track(),))
    async with waiting(room) as call:
        room.joins(anna)
        room.connection_state = rtc.ConnectionState.CONN_RECONNECTING
        room.leaves(anna, "UNKNOWN_REASON")
        await asyncio.sleep(10 * RETURN_SECONDS)
        assert call.ends == []
        room.connection_state = rtc.ConnectionState.CONN_CONNECTED
        room.joins(Person(tracks=(Track(),)))
        await asyncio.sleep(2 * RETURN_SECONDS)
        assert call.ends == []


@virtual
async def test_p8_it_is_known_whether_the_agents_voice_can_be_heard() -> None:
    room, anna = FakeRoom(), Person(tracks=(Track(),))
    async with waiting(room) as call:
        room.joins(anna)
        room.permits(ANY)
        assert call.muted[-1:] == [False], "its track is not published yet"
        voice = room.agent_publishes()
        room.mutes(voice, muted=True)
        assert call.muted[-1]
        room.permits(ANY)
        assert call.muted[-1], "what it may is not what it does"
        room.mutes(voice, muted=False)
        assert not call.muted[-1]
        room.permits(SHOWS)
        assert call.muted[-1]
        room.agent_unpublishes(voice)
        room.permits(ANY)
        assert call.muted[-1], "the track is gone"
        room.agent_publishes()
        assert not call.muted[-1]
