"""What every level has in common: how long it took, and that it ran at all."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.postgres import LocalPostgres, running_postgres

TESTS = Path(__file__).parent
LEVELS = ("unit", "conversations", "session", "studio", "room", "wheel")
_seconds: defaultdict[str, float] = defaultdict(float)
_ran: Counter[str] = Counter()


def level(path: Path) -> str:
    return path.relative_to(TESTS).parts[0]


def pytest_configure() -> None:
    """Python 3.11 makes an event loop for whoever asks for the present one, and nobody closes it;
    pytest-asyncio asks.
    """
    asyncio.set_event_loop(None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--must-run",
        type=lambda names: names.split(","),
        default=[],
        metavar="LEVEL,LEVEL",
        help="fail when one of these levels of the tests ran nothing",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the levels one after the other, the quick ones first; random order within each."""
    items.sort(key=lambda item: LEVELS.index(level(item.path)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    name = level(TESTS.parent / report.location[0])
    _seconds[name] += report.duration
    if report.when == "call" and not report.skipped:
        _ran[name] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("levels")
    for name in LEVELS:
        if _ran[name]:
            terminalreporter.write_line(f"{name:8} {_ran[name]:4} tests {_seconds[name]:8.1f} s")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    is_xdist_worker = hasattr(session.config, "workerinput")
    if is_xdist_worker or session.config.option.collectonly:
        return
    empty = [name for name in session.config.getoption("--must-run") if not _ran[name]]
    if empty and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
        print(f"\nno test ran in level {', '.join(empty)}")  # noqa: T201 - pytest's own output


@pytest.fixture(scope="session")
def postgres() -> Iterator[LocalPostgres]:
    """A PostgreSQL server for all tests that ask for one; each has databases of its own in it."""
    with running_postgres() as server:
        yield server
