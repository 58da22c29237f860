"""The real worker as a process, and the journals of its calls as they are written."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lastword.events import LOGGER_NAME
from lastword.settings import inherited_environment
from lastword.testing.stage.livekit_server import LocalServer
from lastword.testing.stage.parts import Part, json_line, running_part
from tests import PROJECT_ROOT

Entry = Mapping[str, Any]


class WrittenJournal:
    """What the worker has written of one call, in its order."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._written = asyncio.Condition()

    async def add(self, entry: Entry) -> None:
        async with self._written:
            self.entries.append(entry)
            self._written.notify_all()

    @property
    def events(self) -> list[str]:
        return [entry["event"] for entry in self.entries]

    async def until(self, event: str, seconds: float = 30, *, times: int = 1) -> Entry:
        """Wait until there have been so many entries of that kind; returns the last of these."""
        async with asyncio.timeout(seconds), self._written:
            await self._written.wait_for(lambda: self.events.count(event) >= times)
        return [entry for entry in self.entries if entry["event"] == event][times - 1]


class JournalledWorker:
    """A worker that is registered; ``pids`` are the processes of its jobs, by call."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.registered = asyncio.Event()
        self.calls: defaultdict[str, WrittenJournal] = defaultdict(WrittenJournal)
        self.pids: dict[str, int] = {}
        self.log: list[str] = []
        """All lines that it has written."""

    async def read(self) -> None:
        async for line in self.part.lines():
            self.log.append(line)
            entry = json_line(line)
            if entry.get("message") == "registered worker":
                self.registered.set()
            if entry.get("name") == LOGGER_NAME and "event" in entry:
                self.pids.setdefault(entry["call"], entry.get("pid", 0))
                await self.calls[entry["call"]].add(entry)


@asynccontextmanager
async def journalled_worker(
    server: LocalServer,
    graph: str,
    folder: Path,
    *options: str,
    agent: str = "lastword",
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[JournalledWorker]:
    """Run the worker for the graph ``graph`` (``module:name``), with ``options`` of LiveKit's.

    Args:
        server: what the worker registers with.
        graph: the only graph of the worker.
        folder: for the files that the worker needs.
        options: of ``lastword worker start``.
        agent: what the worker is dispatched as; no other worker may have that name.
        settings: more variables of its environment.
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
    command = [sys.executable, "-m", "lastword.jobs.worker_process", *options]
    async with running_part("the worker", command, env=env) as part, asyncio.TaskGroup() as tasks:
        worker = JournalledWorker(part)
        reading = tasks.create_task(worker.read())
        async with asyncio.timeout(60):
            await worker.registered.wait()
        yield worker
        reading.cancel()
