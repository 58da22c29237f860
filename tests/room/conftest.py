"""One real livekit-server for all tests of this folder; no test may leave a room open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from livekit import api

from lastword.testing.stage.livekit_server import (
    LocalServer,
    build_server,
    find_server,
    running_server,
)
from tests.fakes.room_caller import delete_room


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalServer]:
    """A server on loopback: LIVEKIT_SERVER_BIN, from PATH, or built (once, in two minutes)."""
    reported: list[str] = []
    binary = find_server() or build_server(reported.append)
    log = tmp_path_factory.mktemp("livekit-server") / "server.log"
    async with running_server(binary, log=log) as running:
        yield running


@pytest_asyncio.fixture(autouse=True)
async def no_room_left(server: LocalServer) -> AsyncIterator[None]:
    """Fail a test that leaves a participant in a room.

    An empty room is deleted: the server may create one if two clients delete a room at the same
    time, as a test and its worker do (docs/endings.md).
    """
    left: dict[str, list[str]] = {}
    yield
    async with server.api() as client:
        for room in (await client.room.list_rooms(api.ListRoomsRequest())).rooms:
            who = await client.room.list_participants(api.ListParticipantsRequest(room=room.name))
            left[room.name] = [one.identity for one in who.participants]
            if not who.participants:
                await delete_room(server, room.name)
    assert not any(left.values()), f"rooms and participants left on the server: {left}"


@pytest.fixture
def room() -> str:
    """A unique room name."""
    return f"test-{uuid4().hex[:12]}"
