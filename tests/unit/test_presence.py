"""What LiveKit says about a participant who is gone, in the words of a call's record."""

from __future__ import annotations

import pytest
from livekit import rtc

from agent.hangup.call_end import CallEnd
from agent.presence import end_by_disconnection, end_by_leaving

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
