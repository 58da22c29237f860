"""A loopback proxy in front of a LiveKit server whose WebSocket connections a test can cut."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

NO_LINGER = struct.pack("ii", 1, 0)
"""With this option a closing socket sends a reset and drops the unsent data."""


def reset(transport: asyncio.BaseTransport) -> None:
    """End a TCP connection at once, with a reset rather than an orderly close."""
    if not transport.is_closing():
        socket_of = transport.get_extra_info("socket")
        socket_of.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


class SignalProxy:
    """Relays bytes between clients and the server without parsing them.

    Args:
        upstream: the server's URL.
        twirp: another URL for requests to the HTTP API. A client with one address for both, such
            as a worker, can then use a ``fault_proxy`` for them.
    """

    def __init__(self, upstream: str, twirp: str | None = None) -> None:
        self.url = ""
        self._upstream = _address(upstream)
        self._twirp = _address(twirp or upstream)
        self._refusing = False
        self._relays: set[asyncio.Task[None]] = set()
        self._connections: set[asyncio.StreamWriter] = set()

    @property
    def connections(self) -> int:
        """Number of relayed clients."""
        return len(self._relays)

    def cut(self) -> None:
        """Reset every open connection on both sides; new connections are relayed."""
        for connection in self._connections:
            reset(connection.transport)

    def refuse(self) -> None:
        """Reset new connections on arrival; open connections continue."""
        self._refusing = True

    def accept(self) -> None:
        """Relay new connections again."""
        self._refusing = False

    async def close(self) -> None:
        """Cut all connections and wait until every task has ended."""
        self.refuse()
        self.cut()
        if self._relays:
            await asyncio.wait(self._relays)

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection until either side closes it; then close the other side."""
        if self._refusing:
            reset(writer.transport)
            return
        if (task := asyncio.current_task()) is not None:
            self._relays.add(task)
            task.add_done_callback(self._relays.discard)
        async with self._ending(writer):
            with suppress(OSError):
                await self._relay(reader, writer)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not (first := await reader.readline()):
            return
        host, port = self._twirp if first.startswith(b"POST /twirp/") else self._upstream
        there, to_there = await asyncio.open_connection(host, port)
        async with self._ending(to_there):
            to_there.write(first)
            async with asyncio.TaskGroup() as tasks:
                ways = [
                    tasks.create_task(_pump(reader, to_there)),
                    tasks.create_task(_pump(there, writer)),
                ]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ways:
                    way.cancel()

    @asynccontextmanager
    async def _ending(self, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        self._connections.add(writer)
        try:
            yield
        finally:
            self._connections.discard(writer)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        raise ValueError(f"{url!r} has no host and port")
    return parts.hostname, parts.port


@asynccontextmanager
async def signal_proxy(upstream: str, *, twirp: str | None = None) -> AsyncIterator[SignalProxy]:
    """Relay a free loopback port to the server at ``upstream``, a WebSocket URL."""
    proxy = SignalProxy(upstream, twirp)
    server = await asyncio.start_server(proxy.relay, "127.0.0.1", 0)
    proxy.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
