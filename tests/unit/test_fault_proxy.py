"""The proxies of the room tests do to livekit-api's client what their names say."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from livekit import api

from tests.fakes.fault_proxy import (
    Delay,
    DroppedAnswer,
    Fault,
    FaultProxy,
    Hang,
    Request,
    Reset,
    ServerError,
    fault_proxy,
)
from tests.fakes.loopback import served
from tests.fakes.signal_proxy import NO_LINGER, SignalProxy, signal_proxy

ROOM = "/twirp/livekit.RoomService/"
BEYOND_THE_TEST = 3600.0
ENDED = {aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSED}
NOT_ANSWERED: list[Fault] = [Reset(), DroppedAnswer(), Hang(), Delay(BEYOND_THE_TEST)]


@dataclass
class Upstream:
    """Answers two methods of LiveKit's RoomService, and WebSockets with an echo.

    ``may_delete`` holds every deletion up while it is not set.
    """

    rooms: set[str] = field(default_factory=lambda: {"a", "b"})
    tokens: list[str] = field(default_factory=list)
    may_delete: asyncio.Event = field(default_factory=asyncio.Event)
    deleted: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def delete(self, http: web.Request) -> web.Response:
        self.tokens.append(http.headers["Authorization"])
        await self.may_delete.wait()
        room = api.DeleteRoomRequest.FromString(await http.read()).room
        if room not in self.rooms:
            return web.json_response({"code": "not_found", "msg": "no such room"}, status=404)
        self.rooms.remove(room)
        self.deleted.set()
        return _protobuf(api.DeleteRoomResponse())

    async def list(self, http: web.Request) -> web.Response:
        rooms = [api.Room(name=name) for name in sorted(self.rooms)]
        return _protobuf(api.ListRoomsResponse(rooms=rooms))

    async def echo(self, http: web.Request) -> web.WebSocketResponse:
        line = web.WebSocketResponse()
        await line.prepare(http)
        async for message in line:
            await line.send_str(f"{http.query['who']}: {message.data}")
        self.hung_up.set()
        return line


def _protobuf(message: api.DeleteRoomResponse | api.ListRoomsResponse) -> web.Response:
    return web.Response(body=message.SerializeToString(), content_type="application/protobuf")


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    server = Upstream()
    server.may_delete.set()
    app = web.Application()
    app.router.add_post(f"{ROOM}DeleteRoom", server.delete)
    app.router.add_post(f"{ROOM}ListRooms", server.list)
    app.router.add_get("/rtc", server.echo)
    async with served(app, shutdown_timeout=1) as server.url:
        yield server


@pytest_asyncio.fixture
async def proxy(upstream: Upstream) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(upstream.url) as running:
        yield running


@pytest_asyncio.fixture
async def signal(upstream: Upstream, proxy: FaultProxy) -> AsyncIterator[SignalProxy]:
    async with signal_proxy(upstream.url.replace("http", "ws"), twirp=proxy.url) as running:
        yield running


@asynccontextmanager
async def client(url: str) -> AsyncIterator[api.room_service.RoomService]:
    async with api.LiveKitAPI(url, "key", "a secret of more than thirty-two characters") as livekit:
        yield livekit.room


async def delete(url: str, room: str = "a", *, patience: float | None = None) -> None:
    async with client(url) as rooms, asyncio.timeout(patience):
        await rooms.delete_room(api.DeleteRoomRequest(room=room))


async def test_what_is_not_scripted_passes_through_unchanged(
    upstream: Upstream, proxy: FaultProxy
) -> None:
    await delete(proxy.url)
    async with client(proxy.url) as rooms:
        left = await rooms.list_rooms(api.ListRoomsRequest())
    assert [room.name for room in left.rooms] == ["b"]
    assert upstream.tokens[0].startswith("Bearer ")
    assert proxy.requests == [Request("DeleteRoom", status=200), Request("ListRooms", status=200)]


async def test_the_servers_own_error_passes_through_too(proxy: FaultProxy) -> None:
    with pytest.raises(api.TwirpError) as raised:
        await delete(proxy.url, "unknown")
    assert (raised.value.code, raised.value.status) == ("not_found", 404)
    assert proxy.requests == [Request("DeleteRoom", status=404)]


async def test_a_server_error_is_a_twirp_error_and_the_server_is_not_asked(
    upstream: Upstream, proxy: FaultProxy
) -> None:
    proxy.script("DeleteRoom", [ServerError(503, "unavailable", "full")])
    with pytest.raises(api.TwirpError) as raised:
        await delete(proxy.url)
    assert (raised.value.status, raised.value.code) == (503, "unavailable")
    assert raised.value.message == "full"
    assert upstream.rooms == {"a", "b"}
    assert proxy.requests == [Request("DeleteRoom", ServerError(503, "unavailable", "full"))]


async def test_a_reset_ends_the_connection_and_the_server_is_not_asked(
    upstream: Upstream, proxy: FaultProxy
) -> None:
    proxy.script("DeleteRoom", [Reset()])
    with pytest.raises(aiohttp.ClientOSError) as raised:
        await delete(proxy.url)
    assert raised.value.errno == errno.ECONNRESET
    assert upstream.rooms == {"a", "b"}
    assert proxy.requests == [Request("DeleteRoom", Reset())]


async def test_a_dropped_answer_was_done_all_the_same(
    upstream: Upstream, proxy: FaultProxy
) -> None:
    proxy.script("DeleteRoom", [DroppedAnswer()])
    with pytest.raises(aiohttp.ClientError):
        await delete(proxy.url)
    assert upstream.rooms == {"b"}
    assert proxy.requests == [Request("DeleteRoom", DroppedAnswer(), 200)]


async def test_a_hang_lasts_until_the_client_gives_up(
    upstream: Upstream, proxy: FaultProxy
) -> None:
    proxy.script("DeleteRoom", [Hang()])
    with pytest.raises(TimeoutError):
        await delete(proxy.url, patience=0.1)
    assert upstream.rooms == {"a", "b"}
    assert proxy.requests == [Request("DeleteRoom", Hang())]


async def test_a_hang_lasts_until_the_proxy_closes(upstream: Upstream) -> None:
    async with asyncio.TaskGroup() as tasks, fault_proxy(upstream.url) as proxy:
        proxy.script("DeleteRoom", [Hang(), Delay(BEYOND_THE_TEST)])
        calls = [tasks.create_task(_fails(proxy.url)) for _ in range(2)]
        await proxy.seen(len(calls))
    assert [call.result() for call in calls] == [True, True]
    assert upstream.rooms == {"a", "b"}


async def _fails(url: str) -> bool:
    try:
        await delete(url)
    except aiohttp.ClientError:
        return True
    return False


async def test_a_delayed_call_is_answered_late(upstream: Upstream, proxy: FaultProxy) -> None:
    proxy.script("DeleteRoom", [Delay(0.2)])
    loop = asyncio.get_running_loop()
    started = loop.time()
    await delete(proxy.url)
    assert loop.time() - started >= 0.2
    assert upstream.rooms == {"b"}
    assert proxy.requests == [Request("DeleteRoom", Delay(0.2), 200)]


async def test_a_delayed_call_is_done_even_if_the_client_gives_up(
    upstream: Upstream, proxy: FaultProxy
) -> None:
    proxy.script("DeleteRoom", [Delay(2.0)])
    with pytest.raises(TimeoutError):
        await delete(proxy.url, patience=1.0)  # long enough for a busy machine to send it
    assert upstream.rooms == {"a", "b"}
    await upstream.deleted.wait()
    assert upstream.rooms == {"b"}


async def test_a_proxy_that_closes_waits_for_what_the_server_is_doing(upstream: Upstream) -> None:
    upstream.may_delete.clear()
    async with fault_proxy(upstream.url) as proxy:
        with pytest.raises(TimeoutError):
            await delete(proxy.url, patience=0.1)
        async with client(proxy.url) as rooms:  # the proxy has seen by then that the first is gone
            await rooms.list_rooms(api.ListRoomsRequest())
        asyncio.get_running_loop().call_later(0.1, upstream.may_delete.set)
    assert proxy.requests[0] == Request("DeleteRoom", status=200)


async def test_faults_come_in_their_order_and_only_to_their_method(
    upstream: Upstream, proxy: FaultProxy
) -> None:
    proxy.script("DeleteRoom", [ServerError(), Reset()])
    async with client(proxy.url) as rooms:
        with pytest.raises(api.TwirpError):
            await rooms.delete_room(api.DeleteRoomRequest(room="a"))
        await rooms.list_rooms(api.ListRoomsRequest())
        with pytest.raises(aiohttp.ClientError):
            await rooms.delete_room(api.DeleteRoomRequest(room="a"))
        await rooms.delete_room(api.DeleteRoomRequest(room="a"))
    assert [request.fault for request in proxy.requests] == [ServerError(), None, Reset(), None]
    assert not proxy.faults["DeleteRoom"]


async def test_a_server_that_is_away_looks_like_a_reset() -> None:
    async with fault_proxy("http://127.0.0.1:9") as proxy:
        with pytest.raises(aiohttp.ClientError):
            await delete(proxy.url)
        assert proxy.requests == [Request("DeleteRoom")]


@pytest.mark.parametrize("fault", NOT_ANSWERED, ids=lambda fault: type(fault).__name__)
async def test_a_proxy_closes_at_once_whatever_it_was_doing(
    upstream: Upstream, fault: Fault
) -> None:
    async with asyncio.timeout(5), fault_proxy(upstream.url) as proxy:
        proxy.script("DeleteRoom", [fault])
        with pytest.raises((aiohttp.ClientError, TimeoutError)):
            await delete(proxy.url, patience=0.1)


@asynccontextmanager
async def signalling(url: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/rtc?who=me") as line:
        yield line


async def echoed(line: aiohttp.ClientWebSocketResponse, words: str) -> str:
    await line.send_str(words)
    return await line.receive_str()


async def test_signalling_is_relayed(signal: SignalProxy) -> None:
    async with signalling(signal.url) as line:
        assert await echoed(line, "hello") == "me: hello"
        assert await echoed(line, "x" * 200_000) == "me: " + "x" * 200_000
        assert signal.connections == 1


async def test_a_cut_ends_every_connection_and_new_ones_are_relayed(signal: SignalProxy) -> None:
    async with signalling(signal.url) as one, signalling(signal.url) as two:
        await echoed(one, "hello")
        signal.cut()
        ends = [await line.receive() for line in (one, two)]
        assert {end.type for end in ends} <= ENDED
        async with signalling(signal.url) as again:
            assert await echoed(again, "back") == "me: back"


async def test_new_connections_are_refused_until_they_are_accepted_again(
    signal: SignalProxy,
) -> None:
    async with signalling(signal.url) as standing:
        signal.refuse()
        with pytest.raises(aiohttp.ClientError):
            async with signalling(signal.url):
                pass
        assert await echoed(standing, "still here") == "me: still here"
        signal.accept()
        async with signalling(signal.url) as line:
            assert await echoed(line, "back") == "me: back"


async def test_a_server_that_is_away_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async with signal_proxy("ws://127.0.0.1:9") as away:
        with pytest.raises(aiohttp.ClientError):
            async with signalling(away.url):
                pass
    assert not caplog.records


@pytest.mark.parametrize("option", [None, NO_LINGER], ids=["closed", "reset"])
async def test_the_server_sees_a_client_that_leaves_without_a_word(
    upstream: Upstream,
    signal: SignalProxy,
    caplog: pytest.LogCaptureFixture,
    option: bytes | None,
) -> None:
    async with aiohttp.ClientSession() as session:
        line = await session.ws_connect(f"{signal.url}/rtc?who=me")
        assert await echoed(line, "hello") == "me: hello"
        if option is not None:
            line.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
    async with asyncio.timeout(5):
        await upstream.hung_up.wait()
    assert not caplog.records


async def test_one_address_serves_signalling_and_a_scripted_api(
    upstream: Upstream, proxy: FaultProxy, signal: SignalProxy
) -> None:
    proxy.script("DeleteRoom", [ServerError(500)])
    with pytest.raises(api.TwirpError):
        await delete(signal.url)
    await delete(signal.url)
    async with signalling(signal.url) as line:
        assert await echoed(line, "hello") == "me: hello"
    assert [request.fault for request in proxy.requests] == [ServerError(500), None]
    assert upstream.rooms == {"b"}


async def test_a_closed_proxy_cuts_its_connections_and_leaves_no_task(upstream: Upstream) -> None:
    async with aiohttp.ClientSession() as session:
        async with signal_proxy(upstream.url) as signal:
            line = await session.ws_connect(f"{signal.url}/rtc?who=me")
            assert await echoed(line, "hello") == "me: hello"
        assert signal.connections == 0
        assert not [task for task in asyncio.all_tasks() if "SignalProxy" in repr(task)]
        assert (await line.receive()).type in ENDED
