"""LiveKit's own behaviour: these tests run when a version of LiveKit has changed (``stamp.py``)."""

from tests.room.conftest import no_room_left, room, server

__all__ = ["no_room_left", "room", "server"]
