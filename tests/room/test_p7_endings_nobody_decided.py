"""Lost callers, networks, servers and workers: each call ends, and its record says why (P7)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from livekit import api

from lastword.testing.stage.livekit_server import (
    LocalServer,
    build_server,
    find_server,
    running_server,
)
from lastword.testing.stage.processes import json_line
from lastword.testing.stage.stage import a_caller
from tests.fakes.operator_stop import tell_to_stop
from tests.fakes.reporting_worker import ReportedEvents, ReportingWorker, reporting_worker
from tests.fakes.room_caller import RoomCaller, delete_room, room_caller
from tests.fakes.signal_proxy import signal_proxy

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRAPH = "tests.fakes.told_graph:graph"
AGENT = "lastword"
LONG = json.dumps({"words": "This is a very long sentence " * 20})
SHORT = json.dumps({"words": "This is a sentence that is not so long."})
SERVER_PATIENCE = 40.0
"""Seconds within which a server times out a lost participant; measured: 15 to 25."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(
    server: LocalServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ReportingWorker]:
    """The worker for all tests that do not stop it."""
    folder = tmp_path_factory.mktemp("worker")
    async with reporting_worker(server, GRAPH, folder, "--drain-timeout", "2") as running:
        yield running


async def speaking(events: ReportedEvents, caller: RoomCaller) -> None:
    """Wait until the agent is in the room and is speaking."""
    await events.until("caller_joined")
    async with asyncio.timeout(20):
        await caller.hears_agent.wait()


async def record(events: ReportedEvents, seconds: float = 30) -> tuple[Any, ...]:
    end = await events.until("call_ended", seconds)
    assert events.names.count("call_ended") == events.names.count("hanging_up") == 1
    return end["ended_by"], end["reason"], end["disconnect_reason"], end["line_gone"]


async def test_a_caller_who_hangs_up_while_the_agent_speaks(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    events = worker.calls[room]
    async with room_caller(server, room, AGENT, LONG) as caller:
        await speaking(events, caller)
        await caller.leave()
        assert await record(events) == ("caller", "caller_hung_up", "CLIENT_INITIATED", True)


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ("delete", ("operator", "room_deleted", "ROOM_DELETED", True)),
        ("remove", ("operator", "participant_removed", "PARTICIPANT_REMOVED", True)),
    ],
)
async def test_an_operator_ends_the_call(
    server: LocalServer, worker: ReportingWorker, room: str, how: str, found: tuple[Any, ...]
) -> None:
    events = worker.calls[room]
    async with room_caller(server, room, AGENT, LONG) as caller, server.api() as client:
        await speaking(events, caller)
        if how == "delete":
            await delete_room(server, room)
        else:
            who = api.RoomParticipantIdentity(room=room, identity="caller")
            await client.room.remove_participant(who)
        assert await record(events) == found


async def test_a_caller_who_comes_back_from_another_device_keeps_the_call(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    events = worker.calls[room]
    async with room_caller(server, room, AGENT, SHORT) as caller:
        await speaking(events, caller)
        newcomer = RoomCaller(server, room)
        await newcomer.join()
        await caller.gone.wait()
        assert caller.reasons == ["DUPLICATE_IDENTITY"]
        assert await record(events) == ("limit", "silence", None, True)
        await newcomer.gone.wait()
        assert newcomer.reasons == ["ROOM_DELETED"]
        await newcomer.leave()


async def test_a_network_that_recovers_within_livekits_time_limit_keeps_the_call(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    events, back = worker.calls[room], asyncio.Event()
    async with (
        signal_proxy(server.url) as proxy,
        room_caller(server, room, AGENT, SHORT, url=proxy.url) as caller,
    ):
        caller.room.on("reconnected", back.set)
        await speaking(events, caller)
        proxy.cut()
        await back.wait()
        assert await record(events) == ("limit", "silence", None, True)
        await caller.gone.wait()
        assert caller.reasons == ["ROOM_DELETED"]


async def test_a_caller_whose_network_is_lost_for_good(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    events = worker.calls[room]
    job = {
        "url": server.url,
        "token": RoomCaller(server, room).ticket(AGENT, json.dumps({"words": "Hello " * 200})),
        "voice": "tests.fakes.tone_voice:speak",
    }
    async with a_caller() as process:
        process.tell(json.dumps(job) + "\n")
        async for line in process.lines():
            if json_line(line).get("event") == "agent_speaking_started":
                break
        os.kill(process.pid, signal.SIGKILL)
        found = await record(events, SERVER_PATIENCE)
    assert found == ("caller", "caller_connection_timeout", "CONNECTION_TIMEOUT", True)


async def test_a_job_whose_process_is_killed_is_hung_up_by_its_worker(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    events = worker.calls[room]
    async with room_caller(server, room, AGENT, LONG) as caller:
        await speaking(events, caller)
        killed_at = time.monotonic()
        os.kill(worker.pids[room], signal.SIGKILL)
        assert await record(events) == ("error", "job_lost", None, True)
        await caller.gone.wait()
    assert caller.gone_at is not None
    assert caller.gone_at - killed_at < 5, "long before the server times the agent out"


async def test_a_killed_worker_leaves_no_line_up(
    server: LocalServer, room: str, tmp_path: Path
) -> None:
    async with (
        reporting_worker(server, GRAPH, tmp_path, agent=room) as worker,
        room_caller(server, room, room, LONG) as caller,
    ):
        await speaking(worker.calls[room], caller)
        os.kill(worker.part.pid, signal.SIGKILL)
        async with asyncio.timeout(15):
            await caller.gone.wait()
        assert caller.reasons == ["ROOM_DELETED"]


async def test_a_drained_worker_finishes_its_calls_and_takes_no_others(
    server: LocalServer, room: str, tmp_path: Path
) -> None:
    later = f"{room}-later"
    async with reporting_worker(
        server, GRAPH, tmp_path, "--drain-timeout", "60", agent=room
    ) as worker:
        events = worker.calls[room]
        async with room_caller(server, room, room, SHORT) as caller:
            await speaking(events, caller)
            os.kill(worker.part.pid, signal.SIGTERM)
            async with room_caller(server, later, room):
                assert await record(events) == ("limit", "silence", None, True)
                assert "agent_said" in events.names, "the whole sentence"
                assert worker.calls[later].names == []
                assert await worker.part.exit_code() == 0


async def test_a_call_that_outlasts_the_drain_is_ended_and_its_line_goes_down(
    server: LocalServer, room: str, tmp_path: Path
) -> None:
    words = json.dumps({"words": "Hello " * 150})
    async with reporting_worker(
        server, GRAPH, tmp_path, "--drain-timeout", "1", agent=room
    ) as worker:
        events = worker.calls[room]
        async with room_caller(server, room, room, words) as caller:
            await speaking(events, caller)
            os.kill(worker.part.pid, signal.SIGTERM)
            assert await record(events) == ("operator", "worker_shutdown", None, True)
            await caller.gone.wait()
            assert caller.reasons == ["ROOM_DELETED"]


async def test_a_server_that_shuts_down_ends_the_call_and_the_record_says_what_is_known(
    room: str, tmp_path: Path
) -> None:
    binary = find_server() or build_server(sys.stderr.write)
    async with (
        running_server(binary, log=tmp_path / "server.log") as doomed,
        reporting_worker(doomed, GRAPH, tmp_path) as worker,
    ):
        caller, events = RoomCaller(doomed, room), worker.calls[room]
        await caller.join(AGENT, LONG)
        await speaking(events, caller)
        await tell_to_stop(doomed)
        assert await doomed.rooms() == [room], "a first SIGTERM waits until all calls are over"
        await tell_to_stop(doomed)
        found = ended_by, reason, why, line_gone = await record(events, 60)
        assert (ended_by, line_gone) == ("error", False), found
        assert why in ("SERVER_SHUTDOWN", "UNKNOWN_REASON"), "the server's message may be missed"
        assert reason.endswith(why.lower())
        await caller.leave()
