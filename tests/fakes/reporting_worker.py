"""The real worker as a process, and the events that it reports for its calls."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lastword.events import read_event
from lastword.settings import inherited_environment
from lastword.testing.stage.livekit_server import LocalServer
from lastword.testing.stage.processes import StageProcess, json_line, running_process
from lastword.testing.stage.stage import WORKER_PROCESS
from tests import PROJECT_ROOT
from tests.fakes.strangers_graph import REPORTS

Reported = Mapping[str, Any]


class ReportedEvents:
    """The events reported for one call, in order, including those that a test's graph adds."""

    def __init__(self) -> None:
        self.recorded: list[Reported] = []
        self._came = asyncio.Condition()

    async def add(self, event: Reported) -> None:
        async with self._came:
            self.recorded.append(event)
            self._came.notify_all()

    @property
    def names(self) -> list[str]:
        return [event["event"] for event in self.recorded]

    async def until(self, name: str, seconds: float = 30, *, times: int = 1) -> Reported:
        """Wait until ``name`` was reported ``times`` times; return the last of these events."""
        async with asyncio.timeout(seconds), self._came:
            await self._came.wait_for(lambda: self.names.count(name) >= times)
        return [event for event in self.recorded if event["event"] == name][times - 1]


class ReportingWorker:
    """A registered worker; ``pids`` are the process ids of its jobs, by call."""

    def __init__(self, part: StageProcess) -> None:
        self.part = part
        self.registered = asyncio.Event()
        self.calls: defaultdict[str, ReportedEvents] = defaultdict(ReportedEvents)
        self.pids: dict[str, int] = {}
        self.log: list[str] = []
        """All lines of the worker's output."""

    async def read(self) -> None:
        async for line in self.part.lines():
            self.log.append(line)
            entry = json_line(line)
            event: Reported = read_event(line) or (entry if entry.get("name") == REPORTS else {})
            if event.get("event") == "worker_registered":
                self.registered.set()
            elif "call" in event:
                self.pids.setdefault(event["call"], entry["pid"])
                await self.calls[event["call"]].add(event)


@asynccontextmanager
async def reporting_worker(
    server: LocalServer,
    graph: str,
    folder: Path,
    *options: str,
    agent: str = "lastword",
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[ReportingWorker]:
    """Run the worker for one graph.

    Args:
        server: the server with which the worker registers.
        graph: the worker's only graph, as ``module:name``.
        folder: for the files that the worker needs.
        options: of ``lastword worker start``, including LiveKit's.
        agent: the agent name for dispatches; no other worker may use it.
        settings: additional environment variables.
    """
    config = folder / "langgraph.json"
    config.write_text(json.dumps({"graphs": {"under_test": graph}}))
    env = (
        inherited_environment()
        | server.environment
        | {
            "LASTWORD_PROVIDERS": "offline",
            "LASTWORD_GRAPHS_CONFIG": str(config),
            "LASTWORD_HEALTH_HOST": "127.0.0.1",
            "LASTWORD_HEALTH_PORT": "0",
            "LASTWORD_IDLE_PROCESSES": "1",
            "LASTWORD_AGENT_NAME": agent,
            "LASTWORD_MAX_CALLS": "8",
            "PYTHONPATH": str(PROJECT_ROOT),
        }
        | dict(settings or {})
    )
    command = [sys.executable, "-m", WORKER_PROCESS, "lastword.worker", *options]
    async with (
        running_process("the worker", command, env=env) as part,
        asyncio.TaskGroup() as tasks,
    ):
        worker = ReportingWorker(part)
        reading = tasks.create_task(worker.read())
        async with asyncio.timeout(60):
            await worker.registered.wait()
        yield worker
        reading.cancel()
