"""Common to all levels: their figures (tests run, seconds, failures) and the PostgreSQL server."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

import lastword.memory.postgres
import lastword.memory.sqlite  # noqa: F401 - see below
from tests.fakes.postgres import LocalPostgres, running_postgres

# The memories' clients are imported here, in the main thread. A memory imports them in another
# thread, where pytest's rewriting of assertions meets a fault of Python 3.11 (SystemError: AST
# constructor recursion depth mismatch).
TESTS = Path(__file__).parent
FOLDERS = ("unit", "conversations", "session", "studio", "room", "wheel", "livekit")
CONVERSATIONS = {"session": "conversations in sessions", "room": "conversations in rooms"}
"""Names of the levels of transcripts, except the graph level, which has the folder's name."""


@dataclass
class Figures:
    """The figures of one level; skipped tests do not count as run."""

    ran: int = 0
    seconds: float = 0.0
    failed: list[str] = field(default_factory=list)


_levels: defaultdict[str, Figures] = defaultdict(Figures)


def folder(path: Path) -> str:
    return path.relative_to(TESTS).parts[0]


def pytest_configure() -> None:
    """Prevent an event loop that is never closed: in Python 3.11, pytest-asyncio would create one
    when it asks for the current loop.
    """
    asyncio.set_event_loop(None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--levels-file", type=Path, metavar="FILE", help="write the figures of the levels as JSON"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the levels in order, the quick ones first, each in random order."""
    for item in items:
        name = CONVERSATIONS.get(getattr(item, "level", ""), folder(item.path))
        item.user_properties.append(("level", name))
    items.sort(key=lambda item: FOLDERS.index(folder(item.path)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    crashed = folder(TESTS.parent / report.location[0])  # xdist's report for a process that died
    figures = _levels[str(dict(report.user_properties).get("level", crashed))]
    figures.seconds += report.duration
    figures.ran += report.when == "call" and not report.skipped
    if report.failed:
        figures.failed.append(report.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("levels")
    for name, figures in _levels.items():
        if figures.ran:
            terminalreporter.write_line(f"{name:26} {figures.ran:4} tests {figures.seconds:8.1f} s")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    file = session.config.getoption("--levels-file")
    is_xdist_worker = hasattr(session.config, "workerinput")
    if file is not None and not is_xdist_worker:
        file.write_text(json.dumps({name: asdict(figures) for name, figures in _levels.items()}))


@pytest.fixture(scope="session")
def postgres() -> Iterator[LocalPostgres]:
    """A PostgreSQL server that all tests share; each test creates its own databases in it."""
    with running_postgres() as server:
        yield server
