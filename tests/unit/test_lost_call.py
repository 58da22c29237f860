"""A job's process has died: its worker takes the line down, and closes the record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from livekit import api
from livekit.protocol.agent import Job
from livekit.protocol.models import Room

from lastword.graphs_config import CallGraph
from lastword.settings import Settings
from lastword.signals import CallPolicy
from lastword.worker import end_lost_call
from tests.fakes.logged_events import logged_events
from tests.fakes.loopback import served
from tests.fakes.polite_graph import polite_graph

JOB = Job(room=Room(name="a-call", sid="RM_1"))
GRAPHS = {"polite": CallGraph("polite", polite_graph([]), CallPolicy())}


class Server:
    """Has one room; fails as often as it is told, then answers."""

    def __init__(self, failures: int, sid: str | None = "RM_1") -> None:
        self.failures = failures
        self.rooms = [] if sid is None else [Room(name="a-call", sid=sid)]

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
    assert len(logged_events(caplog, "call_ended")) == 1


async def test_p7_a_server_that_never_answers_leaves_a_record_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server(1000)
    async with serving(server) as settings:
        with caplog.at_level("INFO"):
            await end_lost_call(settings, GRAPHS, JOB, "job_lost")
    assert len(logged_events(caplog, "call_ended")) == 1


@pytest.mark.parametrize("sid", [None, "RM_2"])
async def test_p7_p8_a_call_whose_caller_has_left_first_has_a_record_too(
    sid: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Its room is gone, or one of the same name is another call's by now, and is left alone."""
    server = Server(0, sid)
    before = list(server.rooms)
    async with serving(server) as settings:
        with caplog.at_level("INFO"):
            await end_lost_call(settings, GRAPHS, JOB, "job_stalled")
    assert server.rooms == before
    [end] = logged_events(caplog, "call_ended")
    told = (end["ended_by"], end["reason"], end["line_gone"])
    assert told == ("error", "job_stalled", True)
