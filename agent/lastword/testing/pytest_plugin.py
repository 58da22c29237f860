"""The pytest plugin: it runs transcripts as tests, and has a fixture for conversations in Python.

pytest loads it in every project in which Lastword is installed. So it does not import LiveKit or
LangGraph before a conversation runs, and the names of its options, settings and fixtures contain
the product's name.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Generator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from lastword.errors import LastwordError
from lastword.testing.pytest_run import ConversationRun
from lastword.untrusted.printable import block, lines_of, one_line

if TYPE_CHECKING:
    from lastword.testing.conversation import Conversation, Conversations
    from lastword.testing.replay import Replayed
    from lastword.testing.transcripts.transcript import Level, Transcript

CASSETTE = ".cassette.yaml"
"""The same as ``ENDING`` in ``lastword.testing.cassette``, which this module does not import."""
FOLDER = "tests/conversations"
LEVELS: tuple[Level, ...] = ("graph", "session", "room")
_PLUGIN = "lastword-conversations"


def _levels(names: str) -> list[Level]:
    """Read the value of ``--lastword-level``: names, separated by commas."""
    wanted = names.split(",")
    if unknown := [name for name in wanted if name not in LEVELS]:
        known = ", ".join(LEVELS)
        raise argparse.ArgumentTypeError(f"invalid choice: {unknown[0]!r} (choose from {known})")
    return [level for level in LEVELS if level in wanted]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and settings."""
    group = parser.getgroup("lastword", "Lastword: conversations as tests")
    group.addoption(
        "--lastword-level",
        type=_levels,
        default=["graph"],
        metavar="LEVEL,LEVEL",
        help="graph: the call as text on a virtual clock (default); session: the same with a "
        "fake voice and loudspeaker; room: a real server and real audio; with several levels, each "
        "conversation runs at each of them",
    )
    group.addoption(
        "--lastword-live",
        action="store_true",
        help="ask the real chat model instead of using the recorded answers",
    )
    group.addoption(
        "--lastword-record",
        action="store_true",
        help="like --lastword-live, and save the answers in cassettes",
    )
    group.addoption(
        "--lastword-repeat", type=int, default=1, metavar="N", help="run each conversation N times"
    )
    group.addoption(
        "--lastword-judge",
        metavar="MODEL",
        nargs="?",
        const="",
        help="let a model judge every `intent` (default: LASTWORD_JUDGE_MODEL, else gpt-4.1-mini)",
    )
    group.addoption(
        "--lastword-graph-coverage",
        metavar="FOLDER",
        nargs="?",
        const="",
        help="show the nodes, edges and endings that no conversation reached; with FOLDER, also "
        "write them there as Markdown and JSON",
    )
    group.addoption(
        "--lastword-fail-under-edges",
        type=float,
        metavar="PERCENT",
        help="fail when the conversations took less than PERCENT of a graph's edges",
    )
    parser.addini(
        "lastword_conversations",
        f"folders whose YAML files are conversations; default: {FOLDER}",
        "paths",
    )
    parser.addini(
        "lastword_graphs_config",
        "the langgraph.json that names the graphs",
        default="langgraph.json",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the state of this run of pytest."""
    if config.getoption("--lastword-repeat") < 1:
        raise pytest.UsageError("--lastword-repeat must be 1 or more")
    config.pluginmanager.register(ConversationRun(config), _PLUGIN)


def _run(config: pytest.Config) -> ConversationRun:
    return cast("ConversationRun", config.pluginmanager.get_plugin(_PLUGIN))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a YAML file in a folder of conversations."""
    if file_path.suffix not in (".yaml", ".yml") or file_path.name.endswith(CASSETTE):
        return None
    folders = parent.config.getini("lastword_conversations") or [parent.config.rootpath / FOLDER]
    if not any(file_path.is_relative_to(folder) for folder in folders):
        return None
    named = {} if str(file_path).isprintable() else _printable_names(file_path, parent.config)
    file: pytest.Collector = ConversationFile.from_parent(parent, path=file_path, **named)
    return file


def _printable_names(path: Path, config: pytest.Config) -> dict[str, Any]:
    """The names that pytest shows for a file, without characters that control the terminal."""
    is_inside = path.is_relative_to(config.rootpath)
    shown = path.relative_to(config.rootpath) if is_inside else path
    return {"name": one_line(path.name), "nodeid": one_line(shown.as_posix())}


class ConversationFile(pytest.File):
    """One transcript."""

    def collect(self) -> Iterable[pytest.Item]:
        """Create an item for each level and each repetition."""
        from lastword.testing.transcripts.transcript_file import read_transcript

        try:
            transcript = read_transcript(self.path)
        except LastwordError as error:
            raise self.CollectError(str(error)) from error
        times = self.config.getoption("--lastword-repeat")
        levels = self.config.getoption("--lastword-level")
        for level, number in product(levels, range(times)):
            name = one_line(transcript.name) + (f"[{level}]" if len(levels) > 1 else "")
            name += f"[{number + 1}]" if times > 1 else ""
            item: ConversationItem = ConversationItem.from_parent(
                self, name=name, transcript=transcript, level=level
            )
            yield item


class ConversationItem(pytest.Item):
    """A conversation as a test at ``level``."""

    def __init__(self, *, transcript: Transcript, level: Level, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.transcript = transcript
        self.level = level
        for mark in transcript.marks:
            self.add_marker(mark)
        if level not in transcript.levels:
            why = f"not at the level {level}, only at: {', '.join(transcript.levels)}"
            self.add_marker(pytest.mark.skip(reason=why))

    @property
    def location(self) -> tuple[str, int | None, str]:
        """The location that pytest prints, made printable."""
        path, line, title = super().location
        return one_line(path), line, title

    def runtest(self) -> None:
        """Run the conversation."""
        done = _run(self.config).run_conversation(self.transcript, self.level)
        if not done.passed:
            raise ConversationFailed(done)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Print the conversation as a script."""
        from lastword.testing.forgotten_words import ForgottenWords

        match excinfo.value:
            case ConversationFailed() as failed:
                return str(failed)
            case (LastwordError() | ForgottenWords()) as error:
                return str(error)
            case _:
                return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return file, line and title of the conversation."""
        return self.path, 0, one_line(self.transcript.title or self.name)


class ConversationFailed(AssertionError):
    """A conversation differs from its transcript; the message shows where."""

    def __init__(self, done: Replayed) -> None:
        from lastword.testing.script_view import script_of

        first = done.faults[0]
        where = f"{_short(done.transcript.path)}:{first.line}"
        head = one_line(f"{where}: {first.field}: {lines_of(first.why)[0]} (level {done.level})")
        super().__init__("\n".join([head, "", *script_of(done)]))
        self.done = done


def _short(path: Path) -> Path:
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Make the report of a failure printable, so that no text in it can control the terminal.

    A graph's error, log and output may contain words of the caller and of the graph.
    """
    report = yield
    fixtures = getattr(item, "fixturenames", ())
    if isinstance(item, ConversationItem) or "lastword_conversation" in fixtures:
        report.sections = [(head, block(text)) for head, text in report.sections]
        shown = block(report.longreprtext)
        if shown != report.longreprtext:
            report.longrepr = shown
    return report


@pytest.fixture
def lastword_conversation(request: pytest.FixtureRequest) -> Conversations:
    """Run a conversation in Python, in a LiveKit session without sound; use it with ``async with``.

    Its arguments are the graph's name (default: the first in ``langgraph.json``), ``metadata`` and
    ``clock`` as in a transcript, and ``context``: keys for the graph's runtime context.
    """
    from lastword.testing.conversation import converse

    run = _run(request.config)

    @asynccontextmanager
    async def begin(
        graph: str | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        clock: datetime | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[Conversation]:
        loaded = await asyncio.to_thread(run.graph, graph)
        manner = await asyncio.to_thread(run.manner, None, loaded.name, "session", context)
        async with converse(loaded, manner, metadata=metadata, clock=clock) as begun:
            yield begun
        run.record(loaded.name, begun.replies)

    return begin


class Hooks:
    """Hooks for a project's ``conftest.py``."""

    @pytest.hookspec
    def pytest_lastword_context(self, transcript: Transcript | None) -> dict[str, Any]:
        """Return keys for the graph's runtime context.

        ``transcript`` is None for a conversation in Python.
        """
        raise NotImplementedError


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hooks."""
    pluginmanager.add_hookspecs(Hooks)
