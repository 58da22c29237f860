"""Parse ``LASTWORD_GRAPH_MEMORY``, the URL of the graphs' memory. Pure code."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from lastword.errors import SettingsError
from lastword.extras import needs

WAYS_OUT = (
    "write sqlite:///calls/memory.sqlite3 (four slashes: an absolute path) or "
    "postgresql://user:password@host/database, or leave it empty to keep it in the job's process"
)
QUOTE = "in user and password write @ as %40, / as %2F, : as %3A and % as %25"


@dataclass(frozen=True)
class SqliteFile:
    """A SQLite database in a file; a relative path is relative to the working directory."""

    path: Path

    def __str__(self) -> str:
        return f"sqlite:///{self.path}"


@dataclass(frozen=True)
class PostgresDatabase:
    """A PostgreSQL database; its text form has neither user nor password."""

    url: str = field(repr=False)
    shown: str

    def __str__(self) -> str:
        return self.shown


MemoryPlace: TypeAlias = SqliteFile | PostgresDatabase


def read_memory_url(url: str) -> MemoryPlace:
    """Parse the URL of a memory, in the form of SQLAlchemy (SQLite) or libpq (PostgreSQL).

    Raises:
        SettingsError: the URL is invalid; the message quotes no part that may hold a password.
        MissingExtra: the database's client is not installed.
    """
    scheme, colon, rest = url.partition("://")
    match scheme:
        case "sqlite" if colon:
            needs("LASTWORD_GRAPH_MEMORY=sqlite:...", "sqlite")
            return _sqlite_file(rest)
        case "postgresql" | "postgres" if colon:
            needs("LASTWORD_GRAPH_MEMORY=postgresql:...", "postgres")
            return _postgres_database(url)
        case _ if colon and scheme.replace("+", "").isalnum():
            raise _wrong(f"has the scheme {scheme!r}")
        case _:
            raise _wrong("is not a URL")


def _sqlite_file(rest: str) -> SqliteFile:
    path = rest.removeprefix("/")
    if path == rest:
        raise _wrong("needs three slashes before the file's path")
    if path in ("", ":memory:") or path.endswith("/"):
        raise _wrong("names no file")
    return SqliteFile(Path(path))


def _postgres_database(url: str) -> PostgresDatabase:
    # The client takes 0.1 s to import, so it is imported only when PostgreSQL is used.
    from psycopg import ProgrammingError  # noqa: PLC0415
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        found = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except ProgrammingError:  # its message may quote a part of the password
        raise _wrong(f"is not a valid PostgreSQL URL: {QUOTE}") from None
    host, port, database = (found.get(name, "") for name in ("host", "port", "dbname"))
    # The text after an unescaped @ or / in a password is parsed as host, port or database.
    if "@" in host + database or not all(map(_is_port, port.split(",") if port else [])):
        raise _wrong(f"has an impossible host, port or database: {QUOTE}")
    if not host or not database:
        raise _wrong("names no host or no database")
    return PostgresDatabase(url, f"postgresql://{host}{port and ':' + port}/{database}")


def _is_port(text: str) -> bool:
    return text.isdecimal() and 0 < int(text) <= 65_535


def _wrong(why: str) -> SettingsError:
    return SettingsError(f"LASTWORD_GRAPH_MEMORY {why}: {WAYS_OUT}")
