"""LiveKit's own behaviour: these tests run after an upgrade of LiveKit (``stamp.py``)."""

from tests.room.conftest import no_room_left, room, server

__all__ = ["no_room_left", "room", "server"]
