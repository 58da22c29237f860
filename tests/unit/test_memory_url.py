"""The URL of the graphs' memory is understood, or refused in one sentence without its password."""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path

import pytest

from lastword.errors import SettingsError
from lastword.memory.memory_url import MemoryPlace, PostgresDatabase, SqliteFile, read_memory_url
from lastword.settings import Settings, read_settings


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("sqlite:///calls/memory.sqlite3", SqliteFile(Path("calls/memory.sqlite3"))),
        ("sqlite:////var/lib/memory.sqlite3", SqliteFile(Path("/var/lib/memory.sqlite3"))),
        ("sqlite:///./memory", SqliteFile(Path("memory"))),
    ],
)
def test_a_sqlite_url_names_a_file(url: str, place: MemoryPlace) -> None:
    assert read_memory_url(url) == place


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://anna:topsecret@db/calls", "postgresql://db/calls"),
        ("postgres://anna:topsecret@db/calls", "postgresql://db/calls"),
        ("postgresql://anna:topsecret@db:6432/calls?sslmode=require", "postgresql://db:6432/calls"),
        ("postgresql://anna:top%40secret%2F@db/calls", "postgresql://db/calls"),
        ("postgresql://a:1,b:2/calls?password=topsecret", "postgresql://a,b:1,2/calls"),
        ("postgresql:///calls?host=/run/postgresql", "postgresql:///run/postgresql/calls"),
    ],
)
def test_a_postgresql_url_is_kept_and_shown_without_its_user_and_password(
    url: str, shown: str
) -> None:
    place = read_memory_url(url)
    assert isinstance(place, PostgresDatabase)
    assert place.url == url
    assert str(place) == shown
    assert "secret" not in repr(place)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("calls/memory.sqlite3", "is not a URL"),
        ("host=db password=topsecret", "is not a URL"),
        ("anna:topsecret@db/calls", "is not a URL"),
        ("anna:topsecret://db", "is not a URL"),
        ("mysql://anna:topsecret@db/calls", "has the scheme 'mysql'"),
        ("postgresql+psycopg://anna:topsecret@db/calls", "has the scheme 'postgresql.psycopg'"),
        ("sqlite://memory.sqlite3", "needs three slashes"),
        ("sqlite://", "needs three slashes"),
        ("sqlite:///", "names no file"),
        ("sqlite:///calls/", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("postgresql://", "names no host or no database"),
        ("postgresql://anna:topsecret@db", "names no host or no database"),
        ("postgresql:///calls", "names no host or no database"),
        ("postgresql://anna:top%secret@db/calls", "write @ as %40"),
        ("postgresql://anna:top@secret@db/calls", "write @ as %40"),
        ("postgresql://anna:topsecret/@db/calls", "write @ as %40"),
        ("postgresql://anna:123/secret@db/calls", "write @ as %40"),
        ("postgresql://anna:topsecret@db:port/calls", "write @ as %40"),
        ("postgresql://anna:topsecret@db:99999/calls", "write @ as %40"),
        ("postgresql://anna:topsecret@db/calls?secret=1", "write @ as %40"),
    ],
)
def test_any_other_url_is_refused_with_the_way_out_and_without_the_password(
    url: str, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LASTWORD_GRAPH_MEMORY", url)
    with pytest.raises(SettingsError, match=f"^LASTWORD_GRAPH_MEMORY .*{why}") as refused:
        read_settings()
    assert "write sqlite:///calls/memory.sqlite3" in str(refused.value)
    assert "secret" not in "".join(traceback.format_exception(refused.value))


def test_an_empty_setting_is_the_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LASTWORD_GRAPH_MEMORY", "")
    assert read_settings().graph_memory is None


def test_a_password_does_not_show_in_the_settings_and_reaches_the_jobs_process() -> None:
    place = read_memory_url("postgresql://anna:topsecret@db/calls")
    settings = Settings(graph_memory=place)
    assert "topsecret" not in repr(settings)
    assert pickle.loads(pickle.dumps(settings)).graph_memory == place  # noqa: S301 - our own
