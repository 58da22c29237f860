"""The local livekit-server is found in the right place, started on loopback, and always ended."""

from __future__ import annotations

import asyncio
import os
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lastword.errors import ServerUnavailable
from lastword.testing.stage import livekit_server
from lastword.testing.stage.livekit_server import build_server, find_server, running_server
from lastword.testing.stage.server_binary import SERVER_VERSION, ServerPlaces, server_places
from tests import PROJECT_ROOT

# A program that answers the one question that the start asks; like the real server it reads its
# configuration from the environment, prints to its log, and may be told how to behave.
STAND_IN = f"""#!{sys.executable}
import http.server, json, os, signal, sys
config = json.loads(os.environ["LIVEKIT_CONFIG"])
print("arguments", sys.argv[1:], "bound to", config["bind_addresses"], flush=True)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/protobuf")
        self.end_headers()
    def log_message(self, *_): pass
BEHAVIOUR
http.server.HTTPServer((config["bind_addresses"][0], config["port"]), Answer).serve_forever()
"""


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def stand_in(folder: Path, behaviour: str = "") -> Path:
    return program(folder / "server", STAND_IN.replace("BEHAVIOUR", behaviour))


@pytest.fixture
def places(tmp_path: Path) -> ServerPlaces:
    """A machine without a livekit-server and without Go."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "go.mod").write_text("module tools\n\ngo 1.20\n")
    return ServerPlaces(None, str(tmp_path / "bin"), tools, tmp_path / "cache")


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# --- finding ------------------------------------------------------------------------------------


def test_the_setting_wins_over_the_path_and_the_path_over_the_cache(places: ServerPlaces) -> None:
    assert find_server(places) is None
    built = program(places.built)
    assert find_server(places) == built
    on_path = program(Path(places.path) / "livekit-server")
    assert find_server(places) == on_path
    named = program(places.cache / "named")
    assert find_server(replace(places, binary=named)) == named


@pytest.mark.parametrize("kind", ["missing", "folder", "not executable"])
def test_a_setting_that_cannot_be_run_is_named(places: ServerPlaces, kind: str) -> None:
    wrong = places.cache / "wrong"
    if kind == "folder":
        wrong.mkdir(parents=True)
    if kind == "not executable":
        program(wrong).chmod(0o644)
    with pytest.raises(ServerUnavailable, match=f"LIVEKIT_SERVER_BIN is '{wrong}'"):
        find_server(replace(places, binary=wrong))


def test_places_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_SERVER_BIN", "/opt/livekit-server")
    monkeypatch.setenv("PATH", "/opt/bin")
    found = server_places()
    assert (found.binary, found.path) == (Path("/opt/livekit-server"), "/opt/bin")
    assert found.built == PROJECT_ROOT / ".cache" / f"livekit-server-{SERVER_VERSION}"


def test_the_version_is_the_one_that_tools_pins() -> None:
    pinned = (PROJECT_ROOT / "agent/lastword/testing/stage/go/go.mod").read_text()
    assert f"github.com/livekit/livekit-server v{SERVER_VERSION} " in pinned


# --- building -----------------------------------------------------------------------------------

GO = """#!/bin/sh
[ "$1" = version ] && { echo "go version go1.26.8 linux/amd64"; exit; }
echo "go: downloading something"
BEHAVIOUR
"""
WRITE_OUTPUT = (
    'while [ "$1" != -o ]; do shift; done; echo "$CGO_ENABLED$GOTOOLCHAIN" > "$2"; chmod +x "$2"'
)


def go(places: ServerPlaces, behaviour: str) -> None:
    program(Path(places.path) / "go", GO.replace("BEHAVIOUR", behaviour))


def test_without_sources_the_message_says_the_ways_out(places: ServerPlaces) -> None:
    nowhere = replace(places, tools=places.cache / "nothing")
    with pytest.raises(ServerUnavailable, match="set LIVEKIT_SERVER_BIN") as raised:
        build_server(print, nowhere)
    assert str(nowhere.tools) in str(raised.value)


def test_a_go_that_is_too_old_is_not_used(places: ServerPlaces) -> None:
    go(places, "exit 7")
    (places.tools / "go.mod").write_text("module tools\n\ngo 99.1\n")
    with pytest.raises(ServerUnavailable, match=r"nor Go 99\.1 or newer"):
        build_server(print, places)


def test_a_build_that_fails_leaves_nothing_and_shows_its_last_lines(places: ServerPlaces) -> None:
    go(places, f"{WRITE_OUTPUT}; echo 'cannot find module'; exit 7")
    with pytest.raises(ServerUnavailable, match=r"exit code 7.*\n.*\n  cannot find module"):
        build_server(print, places)
    assert find_server(places) is None


def test_a_build_is_made_once_and_found_afterwards(places: ServerPlaces) -> None:
    go(places, WRITE_OUTPUT)
    reported: list[str] = []
    assert build_server(reported.append, places) == places.built == find_server(places)
    assert places.built.read_text() == "0local\n"
    assert "two minutes" in reported[0]
    go(places, "exit 7")
    assert build_server(reported.append, places) == places.built


def test_two_builds_at_once_are_one_build(places: ServerPlaces) -> None:
    count, gate = places.cache / "builds", places.cache / "gate"
    places.cache.mkdir()
    os.mkfifo(gate)
    go(places, f'echo build >> "{count}"; read _ < "{gate}"; {WRITE_OUTPUT}')
    waiting, built = threading.Event(), []

    def report(line: str) -> None:
        if "another build" in line:
            waiting.set()

    def build() -> None:
        built.append(build_server(report, places))

    both = [threading.Thread(target=build, daemon=True) for _ in range(2)]
    for thread in both:
        thread.start()
    assert waiting.wait(20)
    gate.write_text("go on\n")
    for thread in both:
        thread.join(20)
    assert built == [places.built] * 2
    assert count.read_text() == "build\n"


# --- running ------------------------------------------------------------------------------------


async def test_a_server_runs_for_the_block_and_is_gone_after_it(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "server.log"
    async with running_server(stand_in(tmp_path), log=log) as server:
        assert await server.rooms() == []
        assert exists(server.pid)
        assert os.getpgid(server.pid) == server.pid
        assert len(server.api_secret) >= 32
        assert server.api_secret not in repr(server)
        assert server.url == server.http_url.replace("http", "ws")
    assert not exists(server.pid)
    assert log.read_text() == "arguments [] bound to ['127.0.0.1']\n"


async def test_the_server_has_no_keys_but_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "top-secret-value")
    says = "print(sorted(os.environ), flush=True)"
    async with running_server(stand_in(tmp_path, says), log=tmp_path / "log"):
        pass
    said = (tmp_path / "log").read_text()
    assert "LIVEKIT_CONFIG" in said
    assert "OPENAI_API_KEY" not in said


async def test_the_server_ends_when_the_call_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        async with running_server(stand_in(tmp_path), log=tmp_path / "log") as server:
            raise KeyError
    assert not exists(server.pid)


async def test_the_server_ends_when_the_call_is_cancelled(tmp_path: Path) -> None:
    pids: asyncio.Queue[int] = asyncio.Queue()

    async def a_call() -> None:
        async with running_server(stand_in(tmp_path), log=tmp_path / "log") as server:
            pids.put_nowait(server.pid)
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        call = tasks.create_task(a_call())
        pid = await pids.get()
        call.cancel()
    assert not exists(pid)


HOLD = """
import asyncio, sys
from pathlib import Path
from lastword.testing.stage.livekit_server import running_server
async def hold():
    async with running_server(Path(sys.argv[1]), log=Path(sys.argv[2])) as server:
        print(server.pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(hold())
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="only Linux ends a child with us")
@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_ends_with_a_process_that_is_killed(tmp_path: Path, way: signal.Signals) -> None:
    command = [sys.executable, "-c", HOLD, str(stand_in(tmp_path)), str(tmp_path / "log")]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE) as holder:  # noqa: S603
        assert holder.stdout is not None
        server = os.pidfd_open(int(holder.stdout.readline()))
        holder.send_signal(way)
    ended, _, _ = select.select([server], [], [], 10)
    os.close(server)
    assert ended


async def test_a_server_that_does_not_want_to_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(livekit_server, "STOP_TIMEOUT", 0.5)
    stubborn = stand_in(tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    async with running_server(stubborn, log=tmp_path / "log") as server:
        pass
    assert not exists(server.pid)


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with taken_port() as port, pytest.raises(ServerUnavailable, match=f"port {port} on 127.0.0.1"):
        async with running_server(stand_in(tmp_path), port=port, log=tmp_path / "log"):
            pass


async def test_a_wanted_port_is_used(tmp_path: Path) -> None:
    with taken_port() as port:
        pass  # it was free, and so it is again
    async with running_server(stand_in(tmp_path), port=port, log=tmp_path / "log") as server:
        assert server.http_url == f"http://127.0.0.1:{port}"


async def test_a_port_lost_to_another_program_is_replaced(tmp_path: Path) -> None:
    once = tmp_path / "once"
    unlucky = stand_in(
        tmp_path,
        f"if not os.path.exists({str(once)!r}):\n"
        f"    open({str(once)!r}, 'w').close()\n"
        "    sys.exit('listen: address already in use')",
    )
    async with running_server(unlucky, log=tmp_path / "log") as server:
        assert await server.rooms() == []


async def test_a_server_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    broken = stand_in(tmp_path, "sys.exit('no such codec')")
    with pytest.raises(ServerUnavailable, match=r"exit code 1.*\n(.*\n)*  no such codec"):
        async with running_server(broken, log=tmp_path / "log"):
            pass


async def test_a_program_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    text = program(tmp_path / "text", "not a program")
    with pytest.raises(ServerUnavailable, match=re.escape(str(text))):
        async with running_server(text, log=tmp_path / "log"):
            pass


async def test_a_server_that_dies_in_a_call_is_noticed(tmp_path: Path) -> None:
    async with running_server(stand_in(tmp_path), log=tmp_path / "log") as server:
        server.process.kill()
        error = await server.died()
    assert "exit code -9" in str(error)
