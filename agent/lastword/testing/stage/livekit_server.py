"""A real livekit-server on loopback: found or built once, and run for one rehearsal.

``python -m lastword.testing.stage.livekit_server`` prints the path of the binary, and builds it if
it is missing.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import socket
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import aiohttp
from livekit import api

from lastword.errors import ServerUnavailable
from lastword.terminal import print_error
from lastword.testing.stage.server_binary import WAYS_OUT, build_server, find_server

__all__ = ["LocalServer", "build_server", "find_server", "running_server"]

HOST = "127.0.0.1"
START_TIMEOUT = 20.0
"""Seconds until a started server must answer; it takes 0.1 s on an idle machine."""
STOP_TIMEOUT = 5.0
"""Seconds from the first SIGTERM to SIGKILL."""

_POLL = 0.02
_FORCE_AFTER = (
    0.3  # after a first SIGTERM the server waits for participants to leave, not after a second
)
_PORT_TRIES = 3
_LAST_LINES = 8


@dataclass(frozen=True)
class LocalServer:
    """A livekit-server that runs on this machine for one rehearsal."""

    url: str
    """The URL for participants and workers (``ws://``)."""
    http_url: str
    """The URL of the server API."""
    api_key: str
    api_secret: str = field(repr=False)
    log: Path
    process: Process = field(repr=False)

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self.process.pid

    @property
    def environment(self) -> dict[str, str]:
        """LiveKit's environment variables for a process that connects to the server."""
        return {
            "LIVEKIT_URL": self.url,
            "LIVEKIT_API_KEY": self.api_key,
            "LIVEKIT_API_SECRET": self.api_secret,
        }

    def api(self) -> api.LiveKitAPI:
        """Create a client of the server API; use it as ``async with server.api() as client``."""
        return api.LiveKitAPI(self.http_url, self.api_key, self.api_secret)

    async def rooms(self) -> list[str]:
        """Names of the rooms on the server."""
        async with self.api() as client:
            found = await client.room.list_rooms(api.ListRoomsRequest())
        return [room.name for room in found.rooms]

    async def died(self) -> ServerUnavailable:
        """Wait until the server has exited; returns an error with the last lines of its log.

        Raise that error in a task of a TaskGroup, so that the call ends when the server does.
        """
        code = await self.process.wait()
        lines = await asyncio.to_thread(_last_lines, self.log)
        return ServerUnavailable(
            f"livekit-server has exited (exit code {code}); its last lines:", *lines
        )


class _PortTaken(ServerUnavailable):
    """Another process has taken one of the ports since it was found free."""


@asynccontextmanager
async def running_server(
    binary: Path, *, port: int | None = None, log: Path
) -> AsyncIterator[LocalServer]:
    """Run a livekit-server, reachable on loopback only, for as long as the block lasts.

    Args:
        binary: what ``find_server`` or ``build_server`` returned.
        port: for HTTP and WebSocket; default: a free one.
        log: file for what the server prints; overwritten.

    Raises:
        ServerUnavailable: the port is taken, or the server exited or did not answer in time.
    """
    tries = 1 if port else _PORT_TRIES
    for last in (number == tries for number in range(1, tries + 1)):
        server = await _start(binary, port, log)
        try:
            try:
                await _until_it_answers(server)
            except _PortTaken:
                if last:
                    raise
                continue
            yield server
            return
        finally:
            await _end(server.process)


async def _start(binary: Path, port: int | None, log: Path) -> LocalServer:
    http, udp = _free_ports(port)
    key, secret = f"rehearsal-{secrets.token_hex(4)}", secrets.token_urlsafe(32)
    config = _config(http, udp) | {"keys": {key: secret}}
    output = await asyncio.to_thread(_open_log, log)
    try:
        process = await asyncio.create_subprocess_exec(
            *_ends_with_us(),
            binary,
            env={"LIVEKIT_CONFIG": json.dumps(config)},  # the environment, as `ps` shows arguments
            stdin=DEVNULL,
            stdout=output,
            stderr=STDOUT,
            start_new_session=True,  # Ctrl-C must not reach the server before the call is over
        )
    except OSError as error:
        raise ServerUnavailable(f"{str(binary)!r} cannot be run ({error}): {WAYS_OUT}") from error
    finally:
        output.close()
    return LocalServer(
        url=f"ws://{HOST}:{http}",
        http_url=f"http://{HOST}:{http}",
        api_key=key,
        api_secret=secret,
        log=log,
        process=process,
    )


def _ends_with_us() -> list[str]:
    """A prefix for a command, so that it is killed when this process is killed (kill -9).

    setpriv replaces itself with the command, so the process id stays. macOS has no setpriv: [].
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _config(http: int, udp: int) -> dict[str, object]:
    """The server's settings, loopback only; the STUN server is a dummy, because none is needed.

    RTC over TCP is off: its port is bound on all interfaces, whatever ``bind_addresses`` says.
    """
    return {
        "port": http,
        "bind_addresses": [HOST],
        "logging": {"level": "info", "json": False},
        "rtc": {
            "tcp_port": 0,
            "udp_port": udp,
            "node_ip": HOST,
            "use_external_ip": False,
            "enable_loopback_candidate": True,
            "interfaces": {"includes": ["lo", "lo0"]},
            "stun_servers": [f"{HOST}:9"],
        },
    }


def _free_ports(http: int | None) -> tuple[int, int]:
    """Free ports for HTTP and for RTC over UDP."""
    ports = []
    with ExitStack() as held:
        kinds = [(socket.SOCK_STREAM, http or 0), (socket.SOCK_DGRAM, 0)]
        for kind, wanted in kinds:
            probe = held.enter_context(socket.socket(socket.AF_INET, kind))
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, wanted))
            except OSError as error:
                raise ServerUnavailable(
                    f"port {wanted} on {HOST} cannot be used ({error.strerror}): stop the program "
                    "that uses it, or choose another port"
                ) from error
            ports.append(probe.getsockname()[1])
    return ports[0], ports[1]


def _open_log(log: Path) -> IO[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    return log.open("wb")


def _last_lines(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()[-_LAST_LINES:]


async def _until_it_answers(server: LocalServer) -> None:
    """Wait until this server answers; another one would refuse this run's key."""
    try:
        async with asyncio.timeout(START_TIMEOUT):
            while not await _answers(server):
                if await _ends_within(server.process, _POLL):
                    ended = await server.died()
                    taken = "address already in use" in str(ended)
                    raise _PortTaken(*ended.args) if taken else ended
    except TimeoutError:
        lines = await asyncio.to_thread(_last_lines, server.log)
        raise ServerUnavailable(
            f"livekit-server did not answer within {START_TIMEOUT:g} s; its last lines:", *lines
        ) from None


async def _answers(server: LocalServer) -> bool:
    try:
        await server.rooms()
    except (aiohttp.ClientError, api.TwirpError):
        return False
    return True


async def _end(process: Process) -> None:
    """Stop the server; a cancellation while it stops kills it at once."""
    try:
        for patience in (_FORCE_AFTER, STOP_TIMEOUT - _FORCE_AFTER):
            with suppress(ProcessLookupError):
                process.terminate()
            if await _ends_within(process, patience):
                return
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
    await process.wait()


async def _ends_within(process: Process, seconds: float) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), seconds)
    return process.returncode is not None


def main() -> int:
    """Print the path of the livekit-server, built if it is missing; returns the exit code."""
    try:
        binary = find_server() or build_server(print_error)
    except ServerUnavailable as error:
        print_error(error)
        return 1
    sys.stdout.write(f"{binary}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
