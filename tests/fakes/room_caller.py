"""A caller in a real room who says nothing and records how the line ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from livekit import api, rtc

from lastword.testing.stage.livekit_server import LocalServer


class RoomCaller:
    """A participant; ``reasons`` are LiveKit's disconnect reasons."""

    def __init__(self, server: LocalServer, room: str, identity: str = "caller") -> None:
        self._server = server
        self._name = room
        self._identity = identity
        self.room = rtc.Room()
        self.reasons: list[str] = []
        self.gone = asyncio.Event()
        self.gone_at: float | None = None
        self.hears_agent = asyncio.Event()
        self.room.on("disconnected", self._disconnected)
        self.room.on("track_subscribed", lambda *_: self.hears_agent.set())

    def _disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        self.gone_at = time.monotonic()
        self.reasons.append(rtc.DisconnectReason.Name(reason))
        self.gone.set()

    def ticket(self, agent: str | None = None, metadata: str = "") -> str:
        """Return a token for the room; with ``agent`` it also dispatches that agent."""
        dispatch = api.RoomAgentDispatch(agent_name=agent, metadata=metadata)
        agents = [] if agent is None else [dispatch]
        return (
            api.AccessToken(self._server.api_key, self._server.api_secret)
            .with_identity(self._identity)
            .with_grants(api.VideoGrants(room_join=True, room=self._name))
            .with_room_config(api.RoomConfiguration(agents=agents))
            .to_jwt()
        )

    async def join(
        self, agent: str | None = None, metadata: str = "", url: str | None = None
    ) -> None:
        """Join with a microphone, at ``url`` instead of the server's own URL if given."""
        await self.room.connect(url or self._server.url, self.ticket(agent, metadata))
        source = rtc.AudioSource(48_000, 1)
        track = rtc.LocalAudioTrack.create_audio_track("caller", source)
        microphone = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self.room.local_participant.publish_track(track, microphone)

    async def leave(self) -> None:
        await self.room.disconnect()


@asynccontextmanager
async def room_caller(
    server: LocalServer,
    room: str,
    agent: str | None = None,
    metadata: str = "",
    url: str | None = None,
) -> AsyncIterator[RoomCaller]:
    """Yield a caller who has joined; the room is always deleted afterwards."""
    caller = RoomCaller(server, room)
    await caller.join(agent, metadata, url)
    try:
        yield caller
    finally:
        await caller.leave()
        await delete_room(server, room)


async def delete_room(server: LocalServer, room: str) -> None:
    """Delete a room from outside the call; a room that does not exist counts as deleted."""
    async with server.api() as client:
        try:
            await client.room.delete_room(api.DeleteRoomRequest(room=room))
        except api.TwirpError as error:
            if error.code != api.TwirpErrorCode.NOT_FOUND:
                raise
