"""LangGraph's own server, ``langgraph dev``, on loopback."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lastword.settings import inherited_environment
from lastword.testing.stage.processes import StageProcess, running_process
from tests import PROJECT_ROOT


@dataclass(frozen=True)
class LangGraphServer:
    """A running server: its URL and its process."""

    url: str
    part: StageProcess

    def kill(self) -> None:
        """Kill the server and every process that it started."""
        os.killpg(self.part.pid, signal.SIGKILL)


def free_port() -> int:
    """Return a free port on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def langgraph_dev(config: Path, folder: Path) -> AsyncIterator[LangGraphServer]:
    """Serve the graphs of ``config``; the server's files and the store are in ``folder``."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload"),
        *("--port", str(port), "--config", str(config), "--n-jobs-per-worker", "4"),
    ]
    env = inherited_environment() | {
        "LASTWORD_STORE": str(folder / "store.sqlite3"),
        "LASTWORD_PROVIDERS": "offline",
        "LANGSMITH_TRACING": "false",
        "PYTHONPATH": str(PROJECT_ROOT),
    }
    async with running_process("langgraph dev", command, env=env) as server:
        lines = server.lines()
        async for line in lines:
            if "Application started up" in line:
                break
        else:
            raise server.failed("did not start")
        async with asyncio.TaskGroup() as tasks:
            draining = tasks.create_task(_drain(lines))
            yield LangGraphServer(f"http://127.0.0.1:{port}", server)
            draining.cancel()


async def _drain(lines: AsyncIterator[str]) -> None:
    async for _ in lines:
        pass
