"""A loopback proxy in front of a LiveKit server's HTTP API that injects scripted faults."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

import aiohttp
from aiohttp import web

from tests.fakes.loopback import served
from tests.fakes.signal_proxy import reset

OWN_HEADERS = {"connection", "content-length", "date", "host", "server", "transfer-encoding"}
"""Headers that aiohttp writes itself for each of the two connections."""


@dataclass(frozen=True)
class Delay:
    """The request reaches the server late, even if the client has given up."""

    seconds: float


@dataclass(frozen=True)
class ServerError:
    """The request is not forwarded; the answer is a Twirp error."""

    status: int = 500
    code: str = "internal"
    message: str = "scripted"


@dataclass(frozen=True)
class Reset:
    """The request is not forwarded; the connection is reset."""


@dataclass(frozen=True)
class DroppedAnswer:
    """The server handles the request; then the connection is reset without an answer."""


@dataclass(frozen=True)
class Hang:
    """The request is not forwarded; no answer comes until the proxy closes."""


Fault: TypeAlias = Delay | ServerError | Reset | DroppedAnswer | Hang


@dataclass
class Request:
    """A request that reached the proxy, and what was done to it.

    Args:
        method: the Twirp method, such as "DeleteRoom".
        fault: the scripted fault; None: passed through.
        status: the server's HTTP status; None: not forwarded, or not answered.
    """

    method: str
    fault: Fault | None = None
    status: int | None = None


class FaultProxy:
    """Passes requests to the server, except those with a scripted fault.

    ``requests`` are the requests seen so far, in order of arrival.
    """

    def __init__(self, upstream: str, session: aiohttp.ClientSession) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._upstream = upstream.rstrip("/")
        self._session = session
        self._arrival = asyncio.Event()
        self._closing = asyncio.Event()

    def script(self, method: str, faults: Iterable[Fault]) -> None:
        """Inject ``faults`` into the next requests of ``method``, one each; later ones pass."""
        self.faults[method].extend(faults)

    async def seen(self, count: int) -> None:
        """Wait until ``count`` requests have arrived."""
        while len(self.requests) < count:
            self._arrival.clear()
            await self._arrival.wait()

    def close(self) -> None:
        """End requests that hang or are delayed; the server finishes the ones it has."""
        self._closing.set()

    async def answer(self, http: web.Request) -> web.StreamResponse:
        """Answer one Twirp request or inject its fault; pass anything else through."""
        try:
            return await self._answer(http, self._arrived(http), await http.read())
        except aiohttp.ClientError:  # the client sees the server's failure as the proxy did
            return _reset(http)

    def _arrived(self, http: web.Request) -> Request:
        method = http.path.rpartition("/")[2]
        waiting = self.faults[method]
        request = Request(method, waiting.popleft() if waiting else None)
        self.requests.append(request)
        self._arrival.set()
        return request

    async def _answer(self, http: web.Request, request: Request, body: bytes) -> web.StreamResponse:
        match request.fault:
            case None:
                return await self._pass(http, request, body)
            case ServerError(status, code, message):
                return web.json_response({"code": code, "msg": message}, status=status)
            case Delay(seconds):
                if not await self._closed_within(seconds):
                    return await self._pass(http, request, body)
            case DroppedAnswer():
                await self._pass(http, request, body)
            case Hang():
                await self._closing.wait()
        return _reset(http)

    async def _pass(self, http: web.Request, request: Request, body: bytes) -> web.Response:
        url, headers = self._upstream + http.path_qs, _passed_on(http.headers)
        async with self._session.request(http.method, url, headers=headers, data=body) as answer:
            request.status = answer.status
            content, headers = await answer.read(), _passed_on(answer.headers)
            return web.Response(status=answer.status, headers=headers, body=content)

    async def _closed_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._closing.wait()
        except TimeoutError:
            return False


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in OWN_HEADERS}


def _reset(http: web.Request) -> web.Response:
    """Reset the client's connection; aiohttp needs a return value but cannot send it."""
    if http.transport is not None:
        reset(http.transport)
    return web.Response()


@asynccontextmanager
async def fault_proxy(upstream: str) -> AsyncIterator[FaultProxy]:
    """Serve a proxy in front of the server at ``upstream``, an HTTP URL, on a free port."""
    # No keep-alive, so that a dead connection never affects another request.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        proxy = FaultProxy(upstream, session)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", proxy.answer)
        async with served(app, access_log=None) as proxy.url:
            try:
                yield proxy
            finally:
                proxy.close()  # aiohttp waits for every request, even of clients that left
