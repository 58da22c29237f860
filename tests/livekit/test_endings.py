"""The statements of docs/endings.md about LiveKit, tested with a real server and worker."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from livekit import api, rtc

from lastword.testing.stage.livekit_server import (
    LocalServer,
    build_server,
    find_server,
    running_server,
)
from tests.fakes.operator_stop import tell_to_stop
from tests.fakes.told_calls import (
    SETTING_UP,
    Fact,
    Line,
    Worker,
    caller_process,
    calling,
    delete,
    dispatch,
    people,
    running_worker,
)
from tests.fakes.told_worker import WATCHED

pytestmark = pytest.mark.asyncio(loop_scope="module")

Scenario = rtc.SimulateScenarioKind


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(server: LocalServer) -> AsyncIterator[Worker]:
    """The worker for all tests that do not stop it."""
    async with running_worker(server) as running:
        yield running


# -- what ends a call, and what does not


async def test_shutting_down_the_job_leaves_the_caller_in_the_room(
    server: LocalServer, worker: Worker, room: str
) -> None:
    async with calling(server, worker, room) as call:
        await call.do("ctx.shutdown")
        await call.agent.until("done")
        await call.do("return")
        ended = await call.agent.until("process_closed")
        assert (await call.line.seen.until("left"))["reason"] == "CLIENT_INITIATED"
        assert await call.people() == ["caller"]
        assert call.line.seen.named("disconnected") == []
    names = ("entrypoint_returned", "session_closed", "shutdown_callback")
    facts = call.agent.named(*names)
    assert [fact["fact"] for fact in facts] == list(names), "in this order"
    _, closed, callback = facts
    assert closed["reason"] == "user_initiated"
    assert (callback["reason"], callback["connected"]) == ("told to", False)
    assert ended["status"] == "success"


@pytest.mark.parametrize("deed", ["session.aclose", "session.shutdown"])
async def test_closing_the_session_leaves_caller_and_agent_in_the_room(
    server: LocalServer, worker: Worker, room: str, deed: str
) -> None:
    async with calling(server, worker, room) as call:
        await call.do(deed)
        assert (await call.agent.until("session_closed"))["reason"] == "user_initiated"
        await call.agent.until("done")  # the entrypoint still runs
        assert await call.people() == ["agent", "caller"]
        await call.do("return")
        await call.agent.until("entrypoint_returned")
        assert call.line.seen.named("left", "disconnected") == []


async def test_an_entrypoint_that_returns_does_not_end_the_call(
    server: LocalServer, worker: Worker, room: str
) -> None:
    async with calling(server, worker, room) as call:
        await call.do("return")
        await call.agent.until("entrypoint_returned")
        await call.heard()
        assert await call.people() == ["agent", "caller"]
        assert call.agent.named("session_closed", "shutdown_callback") == []


@pytest.mark.parametrize("by", ["the agent", "somebody else"])
async def test_deleting_the_room_ends_the_call_for_everyone(
    server: LocalServer, worker: Worker, room: str, by: str
) -> None:
    async with calling(server, worker, room) as call:
        if by == "the agent":
            await call.do("ctx.delete_room")
            await call.agent.until("done")
        else:
            await delete(server, room)
        assert await call.line.seen.put_out() == "ROOM_DELETED"
        assert await call.agent.put_out() == "ROOM_DELETED"
        assert room not in await server.rooms()
        callback = await call.agent.until("shutdown_callback")
        assert callback["reason"] in ("room disconnected", "parent process shutdown")
        assert (await call.agent.until("process_closed"))["status"] == "success"


@pytest.mark.parametrize("how", ["elsewhere", "without leave"])
async def test_livekits_own_delete_room_raises_nothing_when_it_fails(
    server: LocalServer, worker: Worker, room: str, how: str
) -> None:
    async with calling(server, worker, room) as call:
        await call.do(f"ctx.delete_room {how}")
        await call.agent.until("done")
        await call.heard()
        assert await call.people() == ["agent", "caller"]
        await call.do("return")


async def test_removing_the_caller_hangs_up_and_leaves_agent_and_session(
    server: LocalServer, worker: Worker, room: str
) -> None:
    async with calling(server, worker, room) as call:
        await call.do("remove_participant")
        assert await call.line.seen.put_out() == "PARTICIPANT_REMOVED"
        assert (await call.agent.until("left"))["reason"] == "PARTICIPANT_REMOVED"
        assert await call.people() == ["agent"]
        await call.do("session.aclose")
        assert (await call.agent.until("session_closed"))["reason"] == "user_initiated"


async def test_an_agent_that_leaves_the_room_does_not_hang_up(
    server: LocalServer, worker: Worker, room: str
) -> None:
    async with calling(server, worker, room) as call:
        await call.do("room.disconnect")
        assert (await call.line.seen.until("left"))["reason"] == "CLIENT_INITIATED"
        await call.agent.until("process_closed")
        assert await call.people() == ["caller"]
        assert call.line.seen.named("disconnected") == []


async def test_an_entrypoint_that_raises_does_not_hang_up_and_its_process_counts_as_a_success(
    server: LocalServer, worker: Worker, room: str
) -> None:
    async with calling(server, worker, room) as call:
        await call.do("crash")
        assert (await call.agent.until("shutdown_callback"))["reason"] == "job crashed"
        assert (await call.agent.until("process_closed"))["status"] == "success"
        await call.line.seen.until("left")
        assert await call.people() == ["caller"]


async def test_a_caller_who_leaves_closes_the_session_and_the_server_the_room_some_time_later(
    server: LocalServer, worker: Worker, room: str
) -> None:
    async with calling(server, worker, room, departure_timeout=2) as call:
        await call.line.leave()
        assert (await call.agent.until("left"))["reason"] == "CLIENT_INITIATED"
        assert (await call.agent.until("session_closed"))["reason"] == "participant_disconnected"
        assert (await call.agent.until("disconnected"))["reason"] == "ROOM_CLOSED"
        await call.agent.until("process_closed")


async def test_the_default_departure_timeout_of_a_room_is_20_seconds(
    server: LocalServer, room: str
) -> None:
    async with server.api() as client:
        made = await client.room.create_room(api.CreateRoomRequest(name=room))
    await delete(server, room)
    assert made.departure_timeout == 20


# -- reasons


LEAVING_WITH = {
    "USER_UNAVAILABLE": "USER_UNAVAILABLE",
    "USER_REJECTED": "USER_REJECTED",
    "AGENT_ERROR": "AGENT_ERROR",
    "SIP_TRUNK_FAILURE": "CLIENT_INITIATED",
    "MEDIA_FAILURE": "CLIENT_INITIATED",
}
"""By the reason with which a participant leaves, the reason that the server tells the others."""


async def test_the_server_passes_on_only_some_of_the_reasons_for_leaving(
    server: LocalServer, worker: Worker, room: str
) -> None:
    async with calling(server, worker, room) as call:
        for number, reason in enumerate(LEAVING_WITH, start=1):
            guest = Line(server, room, identity=f"guest-{number}")
            await guest.join()
            await call.agent.until("joined", times=number)
            await guest.leave(rtc.DisconnectReason.Value(reason))
            assert (await call.agent.until("left", times=number))["reason"] == LEAVING_WITH[reason]
        assert call.agent.named("session_closed") == [], "a guest is not the caller"


async def test_a_second_caller_with_the_same_identity_takes_over_the_call(
    server: LocalServer, worker: Worker, room: str
) -> None:
    async with calling(server, worker, room) as call:
        newcomer = Line(server, room)
        await newcomer.join()
        try:
            assert (await call.line.seen.until("disconnected"))["reason"] == "DUPLICATE_IDENTITY"
            await call.agent.until("joined")
            facts = call.agent.named("left", "joined")
            assert [fact["fact"] for fact in facts] == ["left", "joined"]
            assert facts[0]["reason"] is None
            assert facts[1]["t"] - facts[0]["t"] < 1
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(newcomer.speak())
                await call.agent.until("heard")
            await newcomer.room.local_participant.send_text("hello", topic="lk.chat")
            await call.agent.until("read")
            assert call.agent.named("session_closed") == []
        finally:
            await newcomer.leave()


async def reconnect(
    server: LocalServer,
    worker: Worker,
    room: str,
    scenario: Scenario.ValueType,
    reason: str | None,
) -> None:
    async with calling(server, worker, room) as call:
        await call.line.room.simulate_scenario(scenario)
        await call.agent.until("joined")
        assert [fact.get("reason") for fact in call.agent.named("left")] == [reason]
        await call.line.seen.until("reconnected")
        await call.heard()
        assert call.agent.named("session_closed") == []


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        (Scenario.SIMULATE_NODE_FAILURE, "SERVER_SHUTDOWN"),
        (Scenario.SIMULATE_MIGRATION, "MIGRATION"),
    ],
)
async def test_a_caller_that_had_to_reconnect_leaves_and_joins_and_the_call_goes_on(
    server: LocalServer,
    worker: Worker,
    room: str,
    scenario: Scenario.ValueType,
    reason: str,
) -> None:
    await reconnect(server, worker, room, scenario, reason)


async def test_a_caller_that_the_server_tells_to_reconnect_seems_to_hang_up_and_the_session_closes(
    server: LocalServer, worker: Worker, room: str
) -> None:
    async with calling(server, worker, room) as call:
        await call.line.room.simulate_scenario(Scenario.SIMULATE_FULL_RECONNECT)
        await call.agent.until("joined")
        assert (await call.agent.until("left"))["reason"] == "CLIENT_INITIATED"
        assert (await call.agent.until("session_closed"))["reason"] == "participant_disconnected"
        await call.line.seen.until("reconnected")
        assert call.line.seen.named("disconnected") == []


async def test_a_full_room_refuses_a_caller_without_a_reason(
    server: LocalServer, worker: Worker, room: str
) -> None:
    async with calling(server, worker, room, max_participants=1):
        guest = Line(server, room, "guest")
        with pytest.raises(rtc.ConnectError, match="500 Internal Server Error"):
            await guest.join()
        await guest.leave()


async def test_a_server_that_shuts_down_reports_it(
    server: LocalServer, worker: Worker, room: str
) -> None:
    async with calling(server, worker, room) as call:
        await call.line.room.simulate_scenario(Scenario.SIMULATE_SERVER_LEAVE)
        assert (await call.line.seen.until("disconnected"))["reason"] == "SERVER_SHUTDOWN"
        assert (await call.agent.until("left"))["reason"] == "SERVER_SHUTDOWN"
        assert call.agent.named("session_closed") == []


async def test_a_session_whose_model_keeps_failing_closes_and_leaves_the_line_up(
    server: LocalServer, worker: Worker, room: str
) -> None:
    async with calling(server, worker, room) as call:
        await call.do("fail to answer")
        assert (await call.agent.until("session_closed"))["reason"] == "error"
        await call.agent.until("done")
        assert await call.people() == ["agent", "caller"]


async def test_only_a_jobs_second_session_is_closed_by_the_jobs_shutdown(
    server: LocalServer, worker: Worker, room: str
) -> None:
    async with calling(server, worker, room) as call:
        for deed in ("second session", "ctx.shutdown", "return"):
            await call.do(deed)
        await call.agent.until("process_closed")
        closed = call.agent.named("session_closed")
    assert {fact["session"]: fact["reason"] for fact in closed} == {
        "first": "user_initiated",
        "second": "job_shutdown",
    }


# -- processes that die, and time that passes


async def test_a_worker_can_hang_up_for_a_job_process_that_was_killed(
    server: LocalServer, worker: Worker, room: str
) -> None:
    async with calling(server, worker, room, WATCHED) as call:
        killed_at = time.monotonic()
        os.kill(call.job_pid, signal.SIGKILL)
        assert (await call.agent.until("process_closed"))["status"] == "failed"
        await call.agent.until("hung_up")
        assert await call.line.seen.put_out() == "ROOM_DELETED"
    (gone,) = call.line.seen.named("disconnected")
    assert gone["t"] - killed_at < 10, "long before the server times the agent out"


def seconds(since: float, fact: Fact) -> float:
    return float(fact["t"]) - since


async def lose_the_caller(server: LocalServer, worker: Worker, room: str) -> None:
    """The caller's process is killed: the agent is told when the server times the caller out."""
    agent = worker.rooms[room]
    async with caller_process(server, worker, room) as pid:
        lost_at = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        left = await agent.until("left")
        assert left["reason"] == "CONNECTION_TIMEOUT"
        assert 15 < seconds(lost_at, left) < 40
        assert await people(server, room) == ["agent"]
        assert agent.named("session_closed") == []


async def freeze_the_caller(server: LocalServer, worker: Worker, room: str) -> None:
    """The same for a caller's process that is stopped; it rejoins when it is continued."""
    agent = worker.rooms[room]
    async with caller_process(server, worker, room) as pid:
        frozen_at = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        left = await agent.until("left")
        assert left["reason"] == "CONNECTION_TIMEOUT"
        assert 15 < seconds(frozen_at, left) < 40
        os.kill(pid, signal.SIGCONT)
        await agent.until("joined")
        assert agent.named("session_closed") == []


async def lose_the_job(server: LocalServer, worker: Worker, room: str) -> None:
    """The job's process is killed: the worker is told at once, and the caller hears silence."""
    async with calling(server, worker, room) as call:
        killed_at = time.monotonic()
        os.kill(call.job_pid, signal.SIGKILL)
        closed = await call.agent.until("process_closed")
        assert closed["status"] == "failed"
        assert seconds(killed_at, closed) < 5
        left = await call.line.seen.until("left")
        assert left["reason"] == "CONNECTION_TIMEOUT"
        assert 15 < seconds(killed_at, left) < 40
        assert await call.people() == ["caller"]


async def lose_the_worker(server: LocalServer, worker: Worker, room: str) -> None:
    """The worker's process is killed: its jobs are cancelled, and can still hang up."""
    async with running_worker(server, room) as doomed, calling(server, doomed, room) as call:
        await call.do("clean up when cancelled")
        await call.agent.until("done")
        killed_at = time.monotonic()
        os.kill(doomed.part.pid, signal.SIGKILL)
        assert seconds(killed_at, await call.agent.until("entrypoint_cancelled")) < 5
        assert (await call.agent.until("no_clean_up"))["error"] == "Session is closed"
        await call.agent.until("cleaned_up")
        await call.line.seen.until("disconnected", "reconnected")
        assert call.agent.named("session_closed", "shutdown_callback") == []


async def shut_down_a_job_that_keeps_running(
    server: LocalServer, worker: Worker, room: str
) -> None:
    """An entrypoint has 15 s to return; until then the call is unchanged."""
    async with calling(server, worker, room) as call:
        await call.do("ctx.shutdown")
        told = await call.agent.until("done")
        await call.heard()
        cancelled = await call.agent.until("entrypoint_cancelled")
        assert 14 < seconds(told["t"], cancelled) < 25
        assert (await call.agent.until("session_closed"))["reason"] == "user_initiated"
        await call.agent.until("process_closed")
        assert await call.people() == ["caller"]


async def delete_the_room_of_a_job_that_keeps_running(
    server: LocalServer, worker: Worker, room: str
) -> None:
    """The session of a deleted room stays open until the entrypoint returns, at most 15 s."""
    async with calling(server, worker, room) as call:
        await call.do("linger")
        await call.agent.until("done")
        await call.do("ctx.delete_room")
        gone = await call.agent.until("disconnected")
        cancelled = await call.agent.until("entrypoint_cancelled")
        assert 14 < seconds(gone["t"], cancelled) < 25
        assert (await call.agent.until("session_closed"))["reason"] in (
            "user_initiated",
            "participant_disconnected",
        )


async def drain_a_worker(server: LocalServer, worker: Worker, room: str) -> None:
    """A worker that is told to stop takes no new calls, and exits when its calls have ended."""
    later = f"{room}-later"
    async with running_worker(server, room, "--drain-timeout", "50") as ending:
        async with calling(server, ending, room) as call:
            os.kill(ending.part.pid, signal.SIGTERM)
            newcomer = Line(server, later)
            await newcomer.join(agents=dispatch(ending))
            await call.heard()
            await call.do("ctx.shutdown")
            await call.do("return")
            assert await ending.part.exit_code() == 0
            callback = await call.agent.until("shutdown_callback")
            assert callback["reason"] == "told to", "by the call itself, not by the worker"
        assert await people(server, later) == ["caller"]
        await delete(server, later)
        await newcomer.leave()


async def drain_a_worker_for_too_long(server: LocalServer, worker: Worker, room: str) -> None:
    """When the drain times out, the job is told to shut down; it is cancelled 15 s later."""
    async with (
        running_worker(server, room, "--drain-timeout", "1") as ending,
        calling(server, ending, room) as call,
    ):
        told_at = time.monotonic()
        os.kill(ending.part.pid, signal.SIGTERM)
        await call.heard()
        cancelled = await call.agent.until("entrypoint_cancelled")
        assert 15 < seconds(told_at, cancelled) < 26
        assert (await call.agent.until("session_closed"))["reason"] == "user_initiated"
        callback = await call.agent.until("shutdown_callback")
        assert callback["reason"] == "parent process shutdown"
        assert await ending.part.exit_code() == 0
        assert await call.people() == ["caller"]


async def resume_signalling(server: LocalServer, worker: Worker, room: str) -> None:
    """The agent does not notice when the caller's signalling is lost and resumed."""
    async with calling(server, worker, room) as call:
        await call.line.room.simulate_scenario(Scenario.SIMULATE_SIGNAL_RECONNECT)
        await call.line.seen.until("reconnected")
        await call.heard()
        assert call.agent.named("left", "joined", "session_closed") == []


async def fail_to_resume_signalling(server: LocalServer, worker: Worker, room: str) -> None:
    """A caller that cannot resume reconnects: it leaves without a reason, and joins."""
    scenario = Scenario.SIMULATE_DISCONNECT_SIGNAL_ON_RESUME
    await reconnect(server, worker, room, scenario, reason=None)


async def end_signalling_before_media(server: LocalServer, worker: Worker, room: str) -> None:
    """A participant whose signalling ends before any media leaves with SIGNAL_CLOSE."""
    async with calling(server, worker, room) as call, aiohttp.ClientSession() as client:
        query = {"access_token": Line(server, room, "guest").ticket(), "protocol": "15"}
        async with client.ws_connect(f"{server.url}/rtc", params=query):
            await call.agent.until("joined")
        assert (await call.agent.until("left"))["reason"] == "SIGNAL_CLOSE"


async def first_reason(*lines: Line) -> str:
    """The disconnect reason of the first of these lines to be disconnected."""
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(line.seen.until("disconnected")) for line in lines]
        done, others = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
    return str(done.pop().result()["reason"])


async def lose_the_server(tmp_path: Path, room: str) -> None:
    """The server is killed: all participants try to reconnect for a while, and then give up."""
    binary = find_server() or build_server(sys.stderr.write)
    async with running_server(binary, log=tmp_path / "lost.log") as server:
        caller, agent = Line(server, room), Line(server, room, "agent")
        async with SETTING_UP:
            await caller.join()
            await agent.join()
        server.process.kill()
        assert (await agent.seen.until("left"))["reason"] is None, "which is not true of the caller"
        assert await first_reason(caller, agent) == "UNKNOWN_REASON"
        await asyncio.gather(caller.leave(), agent.leave())


async def stop_the_server(tmp_path: Path, room: str) -> None:
    """A server waits at the first SIGTERM and ends calls at the second; not all are told why."""
    binary = find_server() or build_server(sys.stderr.write)
    async with running_server(binary, log=tmp_path / "stopped.log") as server:
        caller, agent = Line(server, room), Line(server, room, "agent")
        async with SETTING_UP:
            await caller.join()
            await agent.join()
        await tell_to_stop(server)
        await agent.speak()
        assert await people(server, room) == ["agent", "caller"]
        await tell_to_stop(server)
        assert await first_reason(caller, agent) in ("SERVER_SHUTDOWN", "UNKNOWN_REASON")
        await asyncio.gather(caller.leave(), agent.leave())


@pytest.mark.timeout(180)
async def test_slow_endings(server: LocalServer, worker: Worker, room: str, tmp_path: Path) -> None:
    """Run several calls in parallel, because each waits up to half a minute for time-outs."""
    waits = (  # the longest first
        lose_the_caller,
        freeze_the_caller,
        lose_the_job,
        drain_a_worker_for_too_long,
        shut_down_a_job_that_keeps_running,
        delete_the_room_of_a_job_that_keeps_running,
        lose_the_worker,
        drain_a_worker,
        end_signalling_before_media,
        fail_to_resume_signalling,
        resume_signalling,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(lose_the_server(tmp_path, room))
        tasks.create_task(stop_the_server(tmp_path, room))
        for wait in waits:
            tasks.create_task(wait(server, worker, f"{room}-{wait.__name__}"))
