"""Calls with ``tests.fakes.told_worker``: its process, its callers, and the facts both report."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from livekit import api, rtc

from lastword.settings import inherited_environment
from lastword.testing.stage.livekit_server import LocalServer
from lastword.testing.stage.processes import StageProcess, json_line, running_process
from lastword.testing.stage.stage import a_caller
from tests import PROJECT_ROOT
from tests.fakes.tone_voice import RATE, babble

PATIENCE = 60.0
"""Seconds to wait for any fact; the slowest is the server's timeout for a lost participant."""
SETTING_UP = asyncio.Lock()
"""Held while a worker or a call is set up: on a busy machine a worker answers the server too late,
and then no agent joins."""
Fact = dict[str, Any]


class Seen:
    """The facts that one side of a call has seen, in order."""

    def __init__(self) -> None:
        self._new: asyncio.Queue[Fact] = asyncio.Queue()
        self._old: list[Fact] = []

    def put(self, fact: Fact) -> None:
        self._new.put_nowait(fact)

    def named(self, *names: str) -> list[Fact]:
        """Return the facts with these names so far."""
        while not self._new.empty():
            self._old.append(self._new.get_nowait())
        return [fact for fact in self._old if fact["fact"] in names]

    async def until(self, *names: str, times: int = 1) -> Fact:
        """Wait until ``times`` facts with these names have come; return the last one."""
        async with asyncio.timeout(PATIENCE):
            while len(found := self.named(*names)) < times:
                self._old.append(await self._new.get())
        return found[times - 1]

    async def put_out(self) -> str:
        """Wait until the server has removed this participant from the room; return the reason.

        Skips the test in the rare case that the server's message was lost and the participant
        reconnected.
        """
        fact = await self.until("disconnected", "reconnected")
        if fact["fact"] == "reconnected":
            pytest.skip("put out, missed it, and connected anew: see docs/endings.md")
        return str(fact["reason"])


class Worker:
    """A worker's process, and the facts of its calls."""

    def __init__(self, part: StageProcess, agent_name: str) -> None:
        self.part = part
        self.agent_name = agent_name
        self.rooms: defaultdict[str, Seen] = defaultdict(Seen)
        self.registered = asyncio.Event()

    async def read(self) -> None:
        async for line in self.part.lines():
            entry = json_line(line)
            if entry.get("fact") == "registered":
                self.registered.set()
            elif "fact" in entry:
                self.rooms[entry["room"]].put(entry)


@asynccontextmanager
async def running_worker(
    server: LocalServer, agent_name: str = "told", *options: str
) -> AsyncIterator[Worker]:
    command = [sys.executable, "-m", "tests.fakes.told_worker", "start", *options]
    env = (
        inherited_environment()
        | server.environment
        | {
            "LIVEKIT_AGENT_NAME_OVERRIDE": agent_name,
            "PYTHONPATH": str(PROJECT_ROOT),
        }
    )
    async with AsyncExitStack() as ending, asyncio.TaskGroup() as tasks:
        async with SETTING_UP, asyncio.timeout(PATIENCE):
            part = await ending.enter_async_context(running_process("the worker", command, env=env))
            worker = Worker(part, agent_name)
            reading = tasks.create_task(worker.read())
            await worker.registered.wait()
        yield worker
        reading.cancel()


class Line:
    """A participant, by default the caller; publishes a microphone track, which may be silent.

    The server announces a participant that publishes at once, any other within three seconds.
    """

    def __init__(self, server: LocalServer, room: str, identity: str = "caller") -> None:
        self._server = server
        self._name = room
        self._identity = identity
        self._voice = rtc.AudioSource(RATE, 1)
        self.seen = Seen()
        self.room = rtc.Room()
        self.room.on("disconnected", lambda reason: self._saw("disconnected", reason))
        self.room.on(
            "participant_disconnected", lambda other: self._saw("left", other.disconnect_reason)
        )
        self.room.on("reconnected", lambda: self._saw("reconnected", None))

    def _saw(self, fact: str, reason: rtc.DisconnectReason.ValueType | None) -> None:
        name = None if reason is None else rtc.DisconnectReason.Name(reason)
        self.seen.put({"fact": fact, "t": time.monotonic(), "reason": name})

    async def join(self, **config: Any) -> None:
        """Join; ``config`` configures the room, including its agent dispatches."""
        await self.room.connect(self._server.url, self.ticket(**config))
        track = rtc.LocalAudioTrack.create_audio_track("voice", self._voice)
        microphone = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self.room.local_participant.publish_track(track, microphone)

    def ticket(self, **config: Any) -> str:
        return (
            api.AccessToken(self._server.api_key, self._server.api_secret)
            .with_identity(self._identity)
            .with_ttl(timedelta(hours=1))
            .with_grants(api.VideoGrants(room_join=True, room=self._name))
            .with_room_config(api.RoomConfiguration(**config))
            .to_jwt()
        )

    async def speak(self) -> None:
        """Send sound, then silence."""
        samples = np.concatenate([babble("hello hello"), np.zeros(RATE // 2, np.int16)])
        for part in samples[: len(samples) // 480 * 480].reshape(-1, 480):
            await self._voice.capture_frame(rtc.AudioFrame(part.tobytes(), RATE, 1, 480))

    async def leave(
        self, reason: rtc.DisconnectReason.ValueType = rtc.DisconnectReason.CLIENT_INITIATED
    ) -> None:
        await self.room.disconnect(reason=reason)
        await self._voice.aclose()


@dataclass(frozen=True)
class Call:
    """A connected call: the caller's line, and the facts that the agent has seen."""

    server: LocalServer
    name: str
    line: Line
    agent: Seen
    job_pid: int

    async def do(self, deed: str) -> None:
        """Tell the agent's job to do ``deed``, one of ``DEEDS`` in ``tests.fakes.told_worker``."""
        number = len(self.agent.named("told")) + 1
        async with self.server.api() as client:
            order = api.UpdateRoomMetadataRequest(room=self.name, metadata=f"{number} {deed}")
            await client.room.update_room_metadata(order)
        await self.agent.until("told", times=number)

    async def people(self) -> list[str]:
        """Return the participants in the room, as listed by the server."""
        return await people(self.server, self.name)

    async def heard(self) -> None:
        """Check that the agent hears the caller now."""
        times = len(self.agent.named("heard"))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.line.speak())
            await self.agent.until("heard", times=times + 1)


async def people(server: LocalServer, room: str) -> list[str]:
    async with server.api() as client:
        found = await client.room.list_participants(api.ListParticipantsRequest(room=room))
    return sorted(one.identity.split("-")[0] for one in found.participants)


async def delete(server: LocalServer, room: str) -> None:
    """Delete a room that may be gone; never while a deletion is in progress: that recreates it."""
    async with server.api() as client:
        with suppress(api.TwirpError):  # gone already
            await client.room.delete_room(api.DeleteRoomRequest(room=room))


def dispatch(worker: Worker, metadata: str = "") -> list[api.RoomAgentDispatch]:
    return [api.RoomAgentDispatch(agent_name=worker.agent_name, metadata=metadata)]


@asynccontextmanager
async def calling(
    server: LocalServer, worker: Worker, room: str, metadata: str = "", **config: Any
) -> AsyncIterator[Call]:
    line, agent = Line(server, room), worker.rooms[room]
    try:
        async with SETTING_UP:
            await line.join(agents=dispatch(worker, metadata), **config)
            ready = await agent.until("ready")
        yield Call(server, room, line, agent, ready["pid"])
    finally:
        await line.leave()  # first: a line that is reconnecting would recreate the room
        await delete(server, room)


@asynccontextmanager
async def caller_process(server: LocalServer, worker: Worker, room: str) -> AsyncIterator[int]:
    """Run a caller in its own process, in a connected call; yields the process id."""
    job = {
        "url": server.url,
        "token": Line(server, room).ticket(agents=dispatch(worker)),
        "lines": [],
        "voice": "tests.fakes.tone_voice:speak",
        "max_seconds": 2 * PATIENCE,
    }
    try:
        async with a_caller() as caller:
            async with SETTING_UP:
                caller.tell(json.dumps(job) + "\n")
                async for line in caller.lines():
                    if json_line(line).get("event") == "agent_track":
                        break
                await worker.rooms[room].until("ready")
            yield caller.pid
    finally:
        await delete(server, room)
