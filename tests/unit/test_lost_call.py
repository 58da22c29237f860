"""A job's process has died: its worker takes the line down, and closes the record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from livekit import api
from livekit.protocol.agent import Job
from livekit.protocol.models import Room

from agent.graph_registry import CallGraph
from agent.settings import Settings
from agent.worker import end_lost_call
from graphs.call_signals import CallPolicy
from tests.fakes.loopback import served
from tests.fakes.polite_graph import polite_graph

JOB = Job(room=Room(name="a-call", sid="RM_1"))
GRAPHS = {"polite": CallGraph("polite", polite_graph([]), CallPolicy())}


class Server:
    """Has one room; fails as often as it is told, then answers."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.rooms = [Room(name="a-call", sid="RM_1")]

    async def answer(self, request: web.Request) -> web.Response:
        if self.failures:
            self.failures -= 1
            return web.json_response({"code": "unavailable", "msg": "busy"}, status=503)
        if request.path.endswith("/DeleteRoom"):
            self.rooms.clear()
            reply: bytes = api.DeleteRoomResponse().SerializeToString()
        else:
            reply = api.ListRoomsResponse(rooms=self.rooms).SerializeToString()
        return web.Response(body=reply, content_type="application/protobuf")


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[Settings]:
    app = web.Application()
    app.router.add_post("/twirp/{tail:.*}", server.answer)
    async with served(app) as url:
        yield Settings(
            livekit_url=url, livekit_api_key="key", livekit_api_secret="s" * 32, graph="polite"
        )


@pytest.mark.parametrize("failures", [0, 1, 2])
async def test_p7_a_server_that_is_busy_for_a_moment_loses_no_line(
    failures: int, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(failures)
    async with serving(server) as settings:
        with caplog.at_level("INFO"):
            await end_lost_call(settings, GRAPHS, JOB, "job_lost")
    assert server.rooms == []
    assert "the call has ended" in caplog.text


async def test_p7_a_server_that_never_answers_leaves_a_record_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server(1000)
    async with serving(server) as settings:
        with caplog.at_level("INFO"):
            await end_lost_call(settings, GRAPHS, JOB, "job_lost")
    assert "the call has ended" in caplog.text
