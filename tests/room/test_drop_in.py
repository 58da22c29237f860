"""Lastword's adapter alone, in a plain LiveKit worker, reports that the call has ended."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

from livekit import api, rtc

from lastword.settings import inherited_environment
from lastword.testing.stage.livekit_server import LocalServer
from lastword.testing.stage.processes import StageProcess, json_line, running_process
from tests import PROJECT_ROOT

WORKER = [sys.executable, "-m", "tests.fakes.plain_worker", "start"]


async def facts(worker: StageProcess) -> AsyncIterator[dict[str, Any]]:
    """The worker's reports, without its log lines."""
    async for line in worker.lines():
        entry = json_line(line)
        if "level" not in entry:
            yield entry


def ticket(server: LocalServer, room: str) -> str:
    dispatch = api.RoomAgentDispatch(agent_name="plain")
    return (
        api.AccessToken(server.api_key, server.api_secret)
        .with_identity("caller")
        .with_grants(api.VideoGrants(room_join=True, room=room))
        .with_room_config(api.RoomConfiguration(agents=[dispatch]))
        .to_jwt()
    )


async def active_agent(line: rtc.Room) -> None:
    """Wait until the agent can receive text: text that is sent earlier is lost."""
    active = asyncio.Event()
    line.on("participant_active", lambda _who: active.set())
    ready = rtc.ParticipantState.PARTICIPANT_STATE_ACTIVE
    if not any(who.state == ready for who in line.remote_participants.values()):
        await active.wait()


async def test_p2_a_plain_worker_sees_the_ending_as_an_event(
    server: LocalServer, room: str
) -> None:
    env = inherited_environment() | server.environment | {"PYTHONPATH": str(PROJECT_ROOT)}
    line, gone = rtc.Room(), asyncio.Event()
    line.on("disconnected", lambda _reason: gone.set())
    items: list[str] = []
    async with asyncio.timeout(60), running_process("the worker", WORKER, env=env) as worker:
        async for fact in facts(worker):
            if "registered" in fact:
                await line.connect(server.url, ticket(server, room))
            elif "ready" in fact:
                await active_agent(line)
                await line.local_participant.send_text("hello", topic="lk.chat")
            elif "item" in fact:
                items.append(fact["item"])
                if fact["item"] == "You said hello.":
                    await line.local_participant.send_text("bye", topic="lk.chat")
            elif "ending" in fact:
                break
        await gone.wait()
    assert fact["ending"]["reason"] == "completed"
    assert fact["ending"]["source"] == "token"
    assert fact["followed"], "the adapter follows a job's session automatically"
    assert items[:3] == ["hello", "You said hello.", "bye"]
