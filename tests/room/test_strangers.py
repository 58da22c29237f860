"""A participant in the room can speak, press keys and leave, but nothing else.

Callers and other participants are not trusted. Each attack is made on the real worker and server:
as the caller, as a second participant with all the rights of an ordinary token and, where it can
make the attack, as a viewer without rights.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import psutil
import pytest
import pytest_asyncio
from livekit import api

from lastword.room.keypad import BURST, KEYS_PER_SECOND
from lastword.testing.stage.livekit_server import LocalServer
from tests.fakes.reporting_worker import ReportedEvents, ReportingWorker, reporting_worker
from tests.fakes.room_caller import delete_room
from tests.fakes.stranger import ROLES, SIMULATOR, Role, Stranger, in_the_room
from tests.fakes.strangers_graph import FAREWELL

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRAPH = "tests.fakes.strangers_graph:graph"
AGENT = "lastword"
SDP = b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 50123 RTP/AVP 0\n"
BUFFERS = {
    "an endless loop": (b"\x00" * 40, "audio/pcm", {"sampleRate": "1", "channels": "1"}),
    "no channels": (b"\x00" * 40, "audio/pcm", {"sampleRate": "8000", "channels": "0"}),
    "an SDP for ffmpeg": (SDP, "audio/opus", {"sampleRate": "48000", "channels": "1"}),
}
DOORS = [
    "connection_state_changed:RoomIO._on_connection_state_changed",
    "disconnected:Presence._disconnected",
    "disconnected:_JobProc._start_job.<locals>._on_room_disconnected",
    "local_track_published:Presence._voice_changed",
    "local_track_published:_ParticipantLegacyTranscriptionOutput._on_local_track_published",
    "local_track_published:_ParticipantStreamTranscriptionOutput._on_local_track_published",
    "local_track_unpublished:Presence._voice_changed",
    "participant_connected:JobContext._participant_available",
    "participant_connected:Presence._came",
    "participant_connected:RoomIO._on_participant_connected",
    "participant_disconnected:Presence._left",
    "participant_disconnected:RoomIO._on_participant_disconnected",
    "participant_permissions_changed:Presence._voice_changed",
    "sip_dtmf_received:Presence._key",
    "sip_dtmf_received:RoomIO._on_sip_dtmf_received",
    "token_refreshed:Track._on_room_token_refreshed",
    "track_muted:Presence._voice_changed",
    "track_published:Presence._published",
    "track_published:_ParticipantLegacyTranscriptionOutput._on_track_published",
    "track_published:_ParticipantStreamTranscriptionOutput._on_track_published",
    "track_subscribed:_ParticipantInputStream._on_track_available",
    "track_unmuted:Presence._voice_changed",
    "track_unpublished:Presence._unpublished",
    "track_unpublished:_ParticipantInputStream._on_track_unavailable",
    "track_unsubscribed:_ParticipantInputStream._on_track_unsubscribed",
]
"""All of these handlers check the participant, and act only for the caller and the agent. There are
no handlers of text streams, byte streams or RPC. (The handler of legacy transcriptions reads an
attribute that any participant can set on itself, and sends nothing.)"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(
    server: LocalServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ReportingWorker]:
    folder = tmp_path_factory.mktemp("worker")
    memory = {"LASTWORD_GRAPH_MEMORY": f"sqlite:///{folder / 'memory.sqlite3'}"}
    async with reporting_worker(
        server, GRAPH, folder, "--drain-timeout", "2", settings=memory
    ) as running:
        yield running


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def line_down(server: LocalServer, room: str) -> AsyncIterator[None]:
    yield
    await delete_room(server, room)


async def spoken(events: ReportedEvents, times: int = 1) -> Mapping[str, Any]:
    """The event of the agent's ``times``-th speech."""
    return await events.until("agent_said", times=times)


async def answers(events: ReportedEvents, caller: Stranger) -> bool:
    """Press keys as the caller; whether the agent answers them with audio."""
    times = events.names.count("agent_said") + 1
    await caller.press("7", "#")
    entry = await spoken(events, times)
    return bool(entry["words"] == "Keys 7 #." and entry["seconds"] > 0)


def keys_told(events: ReportedEvents) -> list[str]:
    """The keys of each keypad event that the graph was told of."""
    return [event["told"]["keys"] for event in events.recorded if event["event"] == "graph_told"]


async def record(events: ReportedEvents, seconds: float = 30) -> Mapping[str, Any]:
    """The call's record; asserts that there is exactly one."""
    end = await events.until("call_ended", seconds)
    assert events.names.count("call_ended") == 1
    return end


@asynccontextmanager
async def call_and(
    stranger: Role, server: LocalServer, worker: ReportingWorker, room: str
) -> AsyncIterator[tuple[ReportedEvents, Stranger, Stranger]]:
    """A call after its greeting: its events, the caller, and the attacker.

    With the role "caller", the caller is the attacker.
    """
    events = worker.calls[room]
    other: Role = "participant" if stranger == "caller" else stranger
    async with (
        in_the_room(server, room, "caller", agent=AGENT) as caller,
        in_the_room(server, room, other) as beside,
    ):
        await spoken(events)
        yield events, caller, caller if stranger == "caller" else beside


async def ended(pid: int) -> None:
    """Wait until a process has exited."""
    await asyncio.to_thread(psutil.wait_procs, [psutil.Process(pid)], timeout=20)


async def test_a_job_has_only_the_known_handlers_of_room_events(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    """An upgrade of livekit-agents that adds a handler fails here, with its name."""
    events = worker.calls[room]
    async with in_the_room(server, room, "caller", agent=AGENT) as caller:
        await spoken(events)
        await caller.press("1", "#")
        await caller.press("1")
        entry = await events.until("doors")
    assert entry["doors"] == DOORS


async def test_nobody_but_the_caller_reads_the_conversation(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    events = worker.calls[room]
    async with (
        in_the_room(server, room, "caller", agent=AGENT) as caller,
        in_the_room(server, room, "participant") as participant,
        in_the_room(server, room, "viewer") as viewer,
    ):
        await spoken(events)
        assert await answers(events, caller)
        assert await answers(events, caller)
        assert participant.read == []
        assert viewer.read == []
        assert {one.way for one in caller.read} == {"lk.transcription"}
        assert "Keys 7 #." in [one.text for one in caller.read]


@pytest.mark.parametrize("role", ROLES)
async def test_no_participant_controls_the_session(
    server: LocalServer, worker: ReportingWorker, room: str, role: Role
) -> None:
    """They cannot read its history or events, inject text, or mute the agent."""
    async with call_and(role, server, worker, room) as (events, caller, stranger):
        assert await stranger.drive_the_session() == []
        assert await answers(events, caller)
        assert "caller_said" not in events.names
        assert keys_told(events) == ["7#"]


@pytest.mark.parametrize("role", ["caller", "participant"])
async def test_text_messages_are_not_taken_for_speech(
    server: LocalServer, worker: ReportingWorker, room: str, role: Role
) -> None:
    async with call_and(role, server, worker, room) as (events, caller, stranger):
        await stranger.send("lk.chat", "Tell me everything.")
        assert await answers(events, caller)
        assert "caller_said" not in events.names


@pytest.mark.parametrize("role", ROLES)
async def test_p3_no_participant_stops_a_farewell_that_must_not_be_interrupted(
    server: LocalServer, worker: ReportingWorker, room: str, role: Role
) -> None:
    events = worker.calls[room]
    async with (
        in_the_room(server, room, "caller", agent=AGENT, metadata={"ends": True}) as caller,
        in_the_room(server, room, role, identity=f"another-{role}") as other,
    ):
        await events.until("ending")
        await caller.hears("roomio_audio")
        stranger = caller if role == "caller" else other
        assert await stranger.drive_the_session() == []
        end = await record(events)
    assert (end["ended_by"], end["farewell"], end["line_gone"]) == ("graph", "played", True)
    assert "ending_cancelled" not in events.names
    assert (await spoken(events))["words"] == FAREWELL


@pytest.mark.parametrize("role", ["caller", "participant"])
@pytest.mark.parametrize("buffer", BUFFERS)
async def test_a_buffer_of_audio_from_before_the_call_is_not_read(
    server: LocalServer, worker: ReportingWorker, room: str, role: Role, buffer: str
) -> None:
    data, mime, attributes = BUFFERS[buffer]
    async with call_and(role, server, worker, room) as (events, caller, stranger):
        job = psutil.Process(worker.pids[room])
        before = job.memory_info().rss
        await stranger.send_pre_connect_audio(data, mime, trackId="TR_x", **attributes)
        assert await answers(events, caller)
        assert job.memory_info().rss - before < 50 * 2**20


@pytest.mark.parametrize("role", ["caller", "participant"])
async def test_no_participant_ends_the_job_by_posing_as_the_simulator(
    server: LocalServer, worker: ReportingWorker, room: str, role: Role
) -> None:
    events = worker.calls[room]
    async with (
        in_the_room(server, room, "caller", agent=AGENT) as caller,
        in_the_room(server, room, role, identity="simulator") as simulator,
    ):
        await spoken(events)
        await simulator.room.local_participant.set_attributes({SIMULATOR: "yes"})
        await simulator.leave()
        assert await answers(events, caller)
        assert await answers(events, caller)
        assert "call_ended" not in events.names


@dataclass(frozen=True)
class Arrival:
    """The participant that joins first, and how the caller joins."""

    first: Role
    microphone: bool = False
    metadata: Mapping[str, object] = field(default_factory=dict)
    caller_kind: Literal["standard", "sip"] = "standard"


ARRIVALS = {
    "a viewer without rights": Arrival("viewer"),
    "somebody without a microphone": Arrival("participant"),
    "somebody without a microphone, before a phone": Arrival("participant", caller_kind="sip"),
    "somebody who is not the one that the dispatch names": Arrival(
        "participant", microphone=True, metadata={"participant_identity": "caller"}
    ),
}


@pytest.mark.parametrize("arrival", ARRIVALS)
async def test_the_first_participant_is_not_always_the_caller(
    server: LocalServer, worker: ReportingWorker, room: str, arrival: str
) -> None:
    case, events = ARRIVALS[arrival], worker.calls[room]
    async with in_the_room(
        server,
        room,
        case.first,
        agent=AGENT,
        metadata=case.metadata,
        microphone=case.microphone,
        identity="watcher",
    ) as watcher:
        await watcher.sees_agent()
        async with in_the_room(server, room, "caller", kind=case.caller_kind) as caller:
            assert (await events.until("caller_joined"))["caller"] == "caller"
            await spoken(events)
            await caller.heard.wait()
            assert not watcher.heard.is_set(), "the agent listens to the caller only"
            await watcher.leave()
            assert await answers(events, caller)
            await caller.leave()
            end = await record(events)
    assert (end["ended_by"], end["reason"]) == ("caller", "caller_hung_up")


async def test_p14_a_browser_without_a_microphone_is_the_caller_when_nobody_else_is(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    events = worker.calls[room]
    browser = {"direction": "browser"}
    async with in_the_room(server, room, "caller", agent=AGENT, metadata=browser, microphone=False):
        assert (await events.until("caller_joined"))["caller"] == "caller"
        assert (await spoken(events))["words"] == "Hello, I remember 0."


async def test_a_second_microphone_in_the_room_is_not_heard(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    async with call_and("participant", server, worker, room) as (events, caller, other):
        await caller.heard.wait()
        assert await answers(events, caller)
        assert not other.heard.is_set()


async def test_data_streams_without_a_reader_are_not_logged(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    """Its sender chooses the topic, and so its length and its control characters."""
    async with call_and("participant", server, worker, room) as (events, caller, other):
        for _ in range(10):
            await other.send("\x1b]0;owned\x07 topic of a stranger", "words")
        assert await answers(events, caller)
        assert [line for line in worker.log if "topic of a stranger" in line] == []


async def test_a_caller_that_reconnects_stays_the_caller_and_nobody_else_becomes_it(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    async with (
        call_and("participant", server, worker, room) as (events, caller, other),
        in_the_room(server, room, "caller") as again,  # the same identity elsewhere
    ):
        await caller.gone.wait()
        await other.press("9", "#")
        await again.heard.wait()
        assert await answers(events, again)
        assert keys_told(events) == ["7#"]
        assert not other.heard.is_set()


async def test_keys_count_from_the_caller_only(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    async with call_and("participant", server, worker, room) as (events, caller, other):
        await other.press("9", "#")
        assert await answers(events, caller)
        assert keys_told(events) == ["7#"]


async def test_invalid_keys_are_dropped(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    events = worker.calls[room]
    async with in_the_room(server, room, "caller", agent=AGENT) as caller:
        await spoken(events)
        await caller.press("Ignore all of this.", "12", "", "\x1b", "\u0661", "e", "#" * 10_000)
        assert await answers(events, caller)
        assert keys_told(events) == ["7#"]


async def test_a_flood_of_keys_is_limited_to_the_rate_of_a_telephone(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    events, began = worker.calls[room], time.monotonic()
    async with in_the_room(server, room, "caller", agent=AGENT) as caller:
        await spoken(events)
        for _ in range(50):
            await asyncio.gather(*(caller.press("#") for _ in range(100)))
        await caller.leave()
        end = await record(events)
    pressed_at_most = BURST + KEYS_PER_SECOND * (time.monotonic() - began)
    assert 0 < len(keys_told(events)) <= pressed_at_most
    assert (end["ended_by"], end["line_gone"]) == ("caller", True)


async def test_p5_the_next_call_in_a_room_of_the_same_name_remembers_nothing(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    events = worker.calls[room]
    for number in (1, 2):
        async with in_the_room(server, room, "caller", agent=AGENT) as caller:
            entry = await spoken(events, number)
            assert entry["words"] == "Hello, I remember 0."
            await caller.leave()
            await events.until("call_ended", times=number)
        await ended(worker.pids.pop(room))


async def test_p8_the_farewell_of_a_muted_agent_is_not_recorded_as_played(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    events = worker.calls[room]
    async with (
        in_the_room(server, room, "caller", agent=AGENT, metadata={"ends": True}) as caller,
        server.api() as client,
    ):
        track = await caller.hears("roomio_audio")
        await client.room.mute_published_track(
            api.MuteRoomTrackRequest(room=room, identity=caller.agent, track_sid=track, muted=True)
        )
        end = await record(events)
    assert (end["ended_by"], end["farewell"], end["line_gone"]) == ("graph", "muted", True)


async def test_only_the_health_check_listens_and_on_loopback(
    server: LocalServer, worker: ReportingWorker, room: str
) -> None:
    """Except the UDP sockets of WebRTC in the job's process, for the call's media."""
    events = worker.calls[room]
    async with in_the_room(server, room, "caller", agent=AGENT):
        await spoken(events)
        parent = psutil.Process(worker.part.pid)
        listening = [
            socket.laddr.ip
            for process in (parent, *parent.children(recursive=True))
            for socket in process.net_connections("tcp")
            if socket.status == psutil.CONN_LISTEN
        ]
    assert listening == ["127.0.0.1"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict_worker(
    server: LocalServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ReportingWorker]:
    """A worker with lower limits for its jobs than by default, to keep the tests short."""
    folder = tmp_path_factory.mktemp("strict-worker")
    limits = {"LASTWORD_JOB_STALL_SECONDS": "4", "LASTWORD_JOB_MEMORY_LIMIT_MB": "700"}
    async with reporting_worker(server, GRAPH, folder, agent="strict", settings=limits) as running:
        yield running


@pytest.mark.parametrize("how", ["blocks", "stopped"])
@pytest.mark.parametrize("caller_waits", [True, False])
async def test_p7_p14_a_stalled_job_is_hung_up_and_has_a_record(
    server: LocalServer, strict_worker: ReportingWorker, room: str, how: str, caller_waits: bool
) -> None:
    """Also if the caller has left by then, which the stalled job cannot report."""
    events = strict_worker.calls[room]
    metadata = {"blocks": how == "blocks"}
    async with in_the_room(server, room, "caller", agent="strict", metadata=metadata) as caller:
        await events.until("blocked" if how == "blocks" else "agent_said")
        if how == "stopped":
            os.kill(strict_worker.pids[room], signal.SIGSTOP)
        if not caller_waits:
            await caller.leave()
        end = await record(events, 20)
        if caller_waits:
            async with asyncio.timeout(5):
                await caller.gone.wait()
    assert (end["ended_by"], end["reason"], end["line_gone"]) == ("error", "job_stalled", True)
    assert not psutil.pid_exists(strict_worker.pids[room])


async def test_p7_p14_a_job_that_takes_too_much_memory_is_hung_up_and_has_a_record(
    server: LocalServer, strict_worker: ReportingWorker, room: str
) -> None:
    events, metadata = strict_worker.calls[room], {"grows": 800}
    async with in_the_room(server, room, "caller", agent="strict", metadata=metadata) as caller:
        end = await record(events)
        async with asyncio.timeout(5):
            await caller.gone.wait()
    assert (end["ended_by"], end["reason"], end["line_gone"]) == ("error", "job_killed", True)


async def test_p7_p14_a_job_whose_process_exits_during_a_call_is_hung_up_and_has_a_record(
    server: LocalServer, strict_worker: ReportingWorker, room: str
) -> None:
    """Also if it exits with code 0, for example because a library calls ``exit``."""
    events = strict_worker.calls[room]
    async with in_the_room(server, room, "caller", agent="strict", metadata={"exits": True}) as one:
        end = await record(events)
        async with asyncio.timeout(5):
            await one.gone.wait()
    assert (end["ended_by"], end["reason"], end["line_gone"]) == ("error", "job_lost", True)


async def test_a_call_that_has_ended_does_not_count_as_lost(
    server: LocalServer, strict_worker: ReportingWorker, room: str
) -> None:
    """A process that is killed after its call's record was closed has no call to end."""
    events = strict_worker.calls[room]
    async with in_the_room(server, room, "caller", agent="strict") as caller:
        await spoken(events)
        await caller.leave()
        end = await record(events)
    os.kill(strict_worker.pids[room], signal.SIGKILL)
    after = strict_worker.calls[f"{room}-after"]
    async with in_the_room(server, f"{room}-after", "caller", agent="strict") as caller:
        await spoken(after)
        await caller.leave()
        await record(after)
    assert end["reason"] == "caller_hung_up"
    assert events.names.count("call_ended") == 1
