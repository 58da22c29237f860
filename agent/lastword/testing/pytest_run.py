"""One run of pytest: its graphs, how its conversations run, and which edges they took.

Like the plugin, this module does not import LiveKit or LangGraph before a conversation runs.
"""

from __future__ import annotations

import asyncio
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lastword.untrusted.printable import one_line

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from lastword.graphs_config import CallGraph
    from lastword.testing.coverage import Coverage, EdgeTracer, Taken
    from lastword.testing.levels.room_call import RoomStage
    from lastword.testing.project_under_test import ProjectUnderTest
    from lastword.testing.replay import Manner, Replayed
    from lastword.testing.reply import Reply
    from lastword.testing.transcripts.transcript import Level, Transcript

_TAKEN = "lastword_taken"


class ConversationRun:
    """The state of one run of pytest, in one process."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._around = ExitStack()
        self._room: tuple[BlockingPortal, RoomStage] | None = None
        self._judge: Any = None
        self._recorders: dict[str, EdgeTracer] = {}
        self._taken: dict[str, list[Taken]] = defaultdict(list)
        self._rates: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._is_under: list[str] = []
        self._coverages: list[Coverage] = []

    @property
    def _asks_model(self) -> bool:
        return bool(
            self._config.getoption("--lastword-live") or self._config.getoption("--lastword-record")
        )

    @property
    def _covers(self) -> bool:
        return (
            self._config.getoption("--lastword-graph-coverage") is not None
            or self._config.getoption("--lastword-fail-under-edges") is not None
        )

    @property
    def _graphs_config(self) -> Path:
        return self._config.rootpath / str(self._config.getini("lastword_graphs_config"))

    @cached_property
    def _project(self) -> ProjectUnderTest:
        """The project's settings for tests, read once for all conversations."""
        from lastword.testing.project_under_test import read_project_under_test

        return read_project_under_test(self._graphs_config)

    @property
    def _is_xdist_worker(self) -> bool:
        return hasattr(self._config, "workerinput")

    def run_conversation(self, transcript: Transcript, level: Level) -> Replayed:
        """Run a conversation at ``level``."""
        from lastword.testing.replay import run_transcript

        graph = self.graph(transcript.graph)
        manner = self.manner(transcript, graph.name, level)
        if manner.level == "room":
            from lastword.extras import needs

            needs("a conversation in a room", "offline")
            from lastword.testing.levels.room_call import out_of_reach

            if (why := out_of_reach(transcript)) is not None:
                pytest.skip(why)
            portal, stage = self._in_room()
            done = portal.call(stage.have, transcript, graph.name, manner)
        else:
            done = asyncio.run(run_transcript(transcript, graph, manner))
        self.record(graph.name, [one.reply for one in done.played], done.taken)
        return done

    def graph(self, name: str | None) -> CallGraph:
        """Load a graph; without a name, the first of ``langgraph.json``."""
        from lastword.graphs_config import choose_graph, graph_specs, load_graph
        from lastword.settings import offline_answers

        config = self._graphs_config
        with nullcontext() if self._asks_model else offline_answers():
            return load_graph(choose_graph(name, known=graph_specs(config)), config)

    def manner(
        self,
        transcript: Transcript | None,
        graph: str,
        level: Level,
        context: Mapping[str, Any] | None = None,
    ) -> Manner:
        """Return how to run a conversation with ``graph`` at ``level``."""
        from lastword.testing.replay import Manner

        contexts = self._config.hook.pytest_lastword_context(transcript=transcript)
        return Manner(
            level=level,
            live=self._asks_model,
            record=bool(self._config.getoption("--lastword-record")),
            project=self._project,
            context={
                key: value for one in [*contexts, context or {}] for key, value in one.items()
            },
            observers=[self._recorder(graph)] if self._covers else [],
            judge=self._judge_of_this_run(),
        )

    def record(self, graph: str, replies: Sequence[Reply], taken: Taken | None = None) -> None:
        """Record the edges that a conversation took, and warn of words that its graph forgets.

        ``taken`` has the edges of a conversation that ran in another process. The warnings are
        pytest's; ``filterwarnings`` can turn them into errors.
        """
        for words in (one for reply in replies for one in reply.forgotten):
            warnings.warn(words, stacklevel=2)
        if not self._covers:
            return
        from lastword.testing.coverage import Taken

        shown = taken or Taken()
        for reply in replies:
            if reply.is_over and reply.end and reply.end.ended_by == "graph" and reply.nodes:
                shown.add_ending(reply.end.source or "node", reply.end.reason)
        self._taken[graph].append(shown)

    def _recorder(self, graph: str) -> EdgeTracer:
        from lastword.testing.coverage import EdgeTracer

        return self._recorders.setdefault(graph, EdgeTracer())

    def _judge_of_this_run(self) -> Any:
        model = self._config.getoption("--lastword-judge")
        if model is not None and self._judge is None:
            from lastword.testing.judge import make_judge

            self._judge = make_judge(model or None)
        return self._judge

    def _in_room(self) -> tuple[BlockingPortal, RoomStage]:
        """Return the server and the worker of this run of pytest; starts them on first use."""
        if self._room is None:
            from anyio.from_thread import start_blocking_portal

            from lastword.settings import read_settings
            from lastword.testing.levels.room_call import room_stage

            settings = read_settings().model_copy(update={"graphs_config": self._graphs_config})
            if not self._asks_model:
                settings = settings.model_copy(update={"providers": "offline"})
            portal = self._around.enter_context(start_blocking_portal())
            stage = portal.wrap_async_context_manager(room_stage(settings, print))
            self._room = portal, self._around.enter_context(stage)
        return self._room

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count how often repeated conversations pass."""
        repeated = re.fullmatch(r"(.+)\[\d+\]", report.nodeid)
        is_transcript = report.nodeid.partition("::")[0].endswith((".yaml", ".yml"))
        if is_transcript and repeated and report.when == "call":
            self._rates[repeated[1]][report.outcome] += 1

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:  # noqa: ARG002 - xdist's
        """Collect the edges that a process of xdist recorded."""
        from lastword.testing.coverage import Taken

        for graph, text in getattr(node, "workeroutput", {}).get(_TAKEN, {}).items():
            self._taken[graph].append(Taken.from_json(text))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Stop server and worker; in a process of xdist, send its edges to the main process."""
        self._around.close()
        if not self._covers:
            return
        if self._is_xdist_worker:
            shown = {graph: self._sum(graph).to_json() for graph in self._taken}
            self._config.workeroutput[_TAKEN] = shown  # type: ignore[attr-defined]
            return
        if self._config.option.collectonly:
            return
        from lastword.errors import LastwordError

        try:
            self._coverages = self.coverages()
        except LastwordError as error:
            self._is_under = [f"no graph coverage: {error}"]
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
            return
        percent = self._config.getoption("--lastword-fail-under-edges")
        if percent is not None:
            found = [line for each in self._coverages for line in each.under(percent)]
            self._is_under = [line.partition(";")[0] for line in found]  # the table names the edges
            if self._is_under and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _sum(self, graph: str) -> Taken:
        from lastword.testing.coverage import Taken

        whole = Taken()
        for taken in self._taken[graph]:
            whole.merge(taken)
        if graph in self._recorders:
            whole.merge(self._recorders[graph].taken(self._shape(graph)))
        return whole

    def _shape(self, name: str) -> Any:
        from langgraph.pregel import Pregel

        from lastword.errors import BrokenGraph
        from lastword.testing.coverage import declared_endings, shape_of

        loaded = self.graph(name)
        if not isinstance(loaded.graph, Pregel):
            raise BrokenGraph(
                name,
                type(loaded.graph).__name__,
                "it does not run in this process, so its coverage cannot be measured",
            )
        endings = declared_endings(self._graphs_config).get(name, ())
        return shape_of(name, loaded.graph, loaded.policy, endings)

    def coverages(self) -> list[Coverage]:
        """Return the coverage of every graph in ``langgraph.json``."""
        from lastword.graphs_config import graph_specs
        from lastword.testing.coverage import Coverage

        names = list(graph_specs(self._graphs_config))
        return [Coverage(self._shape(name), self._sum(name)) for name in names]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print pass rates and coverage."""
        self._print_rates(terminalreporter)
        if not self._covers:
            return
        from lastword.terminal import SafeConsole
        from lastword.testing.coverage import coverage_table, write_reports

        coverages = self._coverages
        console = SafeConsole(width=100)
        with console.capture() as printed:
            console.print(coverage_table(coverages))
        terminalreporter.section("graph coverage")
        terminalreporter.write_line(printed.get().rstrip())
        if folder := self._config.getoption("--lastword-graph-coverage"):
            write_reports(Path(folder), coverages)
            terminalreporter.write_line(one_line(f"written to {folder}/coverage.md"))
        for line in self._is_under:
            terminalreporter.write_line(one_line(line), red=True)

    def _print_rates(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._rates:
            return
        from lastword.testing.intervals import wilson

        terminalreporter.section("pass rates")
        for name, outcomes in sorted(self._rates.items()):
            passed, number = outcomes["passed"], outcomes["passed"] + outcomes["failed"]
            if number:
                low, high = wilson(passed, number)
                rate = f"{passed} of {number} ({100 * passed / number:.0f} %, "
                interval = f"95 %: {100 * low:.0f}-{100 * high:.0f} %)"
                terminalreporter.write_line(one_line(f"{rate}{interval}  {name}"))
