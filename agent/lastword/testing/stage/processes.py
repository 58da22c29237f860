"""The processes of a rehearsed call: their output, their last lines, and stopping them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from lastword.errors import CallFailed
from lastword.events import read_event
from lastword.untrusted.printable import without_secrets

STOP_SECONDS = 5.0
"""Seconds that a process may take to stop before it is killed."""
_LINE_LIMIT = 2**20


class StageProcess:
    """A running process of a rehearsed call; its output is read line by line."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self._last_lines: deque[str] = deque(maxlen=8)

    @property
    def pid(self) -> int:
        """Id of the process, and of its process group."""
        return self._process.pid

    async def lines(self) -> AsyncIterator[str]:
        """Lines that the process writes, until it closes its output; empty lines are skipped."""
        if self._process.stdout is None:
            raise CallFailed(f"{self.name} has no output")
        while True:
            try:
                raw = await self._process.stdout.readline()
            except ValueError:
                raise self.failed(f"wrote a line of more than {_LINE_LIMIT} bytes") from None
            if not raw:
                return
            line = raw.decode(errors="replace").rstrip()
            if line:
                self._last_lines.append(line)
                yield line

    def tell(self, text: str) -> None:
        """Write ``text`` to the process's standard input and close it; call it once."""
        if self._process.stdin is not None:
            self._process.stdin.write(text.encode())
            self._process.stdin.close()

    async def exit_code(self) -> int:
        """Wait until the process has exited, and return its exit code."""
        return await self._process.wait()

    def failed(self, what: str) -> CallFailed:
        """An error with the name of the process, ``what`` it did, and its last lines."""
        lines = [without_secrets(one) for line in self._last_lines for one in _readable(line)]
        lines = lines or ["(it printed nothing)"]
        return CallFailed(f"{self.name} {what}; its last lines:", *lines)

    async def stop(self) -> None:
        """Stop the process: SIGTERM first; then kill what is left of its process group."""
        if self._process.returncode is None:
            self._process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._process.wait()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        await self._process.wait()
        await self._close_pipes()

    async def _close_pipes(self) -> None:
        """Read the rest of the output, so that no pipe is open when the event loop ends."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            with suppress(RuntimeError, TimeoutError):  # another task still reads it
                async with asyncio.timeout(STOP_SECONDS):
                    await self._process.stdout.read()


@asynccontextmanager
async def running_process(
    name: str,
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[StageProcess]:
    """Run a process in its own process group, so that Ctrl-C does not reach it directly.

    ``env`` is its environment; default: that of this process, keys included.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        env=env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        limit=_LINE_LIMIT,
    )
    part = StageProcess(name, process)
    try:
        yield part
    finally:
        await asyncio.shield(part.stop())


def json_line(line: str) -> dict[str, Any]:
    """Read a line of output as a JSON object; {} for any other line."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}


def _readable(line: str) -> list[str]:
    """A line of LiveKit's JSON log as level and message, then its error; else unchanged."""
    entry = json_line(line)
    if "message" not in entry:
        return [line]
    head = f"{entry.get('level', '')} {entry['message']}".lstrip()
    event = read_event(line)
    if event is not None and event["event"] == "call_refused":
        head += f": {event['error']}"
    return [head, *(f"  {line}" for line in str(entry.get("exc_info", "")).split("\n") if line)]
