"""Run all levels of the tests, as ``make test`` does: ``python -m tests.run``.

Tests in a real room mostly wait, but other processes disturb those that measure a call. So the
tests that measure run first and alone, and the quick levels run at a lower priority in parallel
with the rest. If a run of pytest fails, the others still run, and the exit code is 1.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import PROJECT_ROOT

QUICK = (
    *("tests/unit", "tests/conversations", "tests/session", "-n", "2", "--dist", "worksteal"),
    *(
        "--lastword-level",
        "graph,session",
        "--lastword-graph-coverage",
        "--lastword-fail-under-edges",
        "100",
    ),
)
LEVELS = (
    *("unit", "conversations", "conversations in sessions", "session", "studio", "room"),
    *("conversations in rooms", "wheel"),
)
"""The names in ``tests/conftest.py``. A level in which no test ran counts as a failure."""
NICE = "5"
"""The niceness of a run with ``yields``: in competition with a process of niceness 0 it gets a
quarter of a processor, so it still makes progress."""
KILL_AFTER = 15.0
"""Seconds that an interrupted run has to end the processes that it has started."""
_LINE_LIMIT = 2**20


@dataclass(frozen=True)
class Run:
    """One run of pytest; with ``yields`` it has a lower priority than the others."""

    name: str
    arguments: Sequence[str]
    yields: bool = False


STAGES = (
    [Run("alone", ["tests/room", "-m", "alone"])],
    [
        Run(
            "room",
            [
                "tests/studio",
                "tests/room",
                "-m",
                "not alone",
                "-n",
                "2",
                *("--dist", "loadfile", "--no-loadscope-reorder"),
            ],
        ),
        Run("aloud", ["tests/conversations", "--lastword-level", "room", "-m", "aloud"]),
        Run("quick", QUICK, yields=True),
    ],
    [Run("wheel", ["tests/wheel"])],
)
"""The runs of one stage run in parallel."""


@dataclass
class Result:
    """The result of one or more runs."""

    broken: list[str] = field(default_factory=list)
    """Runs that failed without a failed test: one sentence each."""
    levels: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By level, ``ran``, ``seconds`` and ``failed``, as written by ``tests/conftest.py``."""

    def add(self, levels: Mapping[str, Mapping[str, Any]]) -> None:
        """Add the levels of another run."""
        for name, figures in levels.items():
            sums = self.levels.setdefault(name, {"ran": 0, "seconds": 0.0, "failed": []})
            for key, value in figures.items():
                sums[key] = sums[key] + value

    @property
    def failed(self) -> list[str]:
        """What failed, one line each; empty if nothing did."""
        tests = [test for figures in self.levels.values() for test in figures["failed"]]
        ran = {name for name, figures in self.levels.items() if figures["ran"]}
        empty = [f"no test ran in level {name}" for name in LEVELS if name not in ran]
        return [*tests, *self.broken, *empty]

    def summary(self, seconds: float) -> str:
        """The final table, followed by the failures."""
        lines = [f"{'level':26} {'tests':>6} {'failed':>6} {'seconds':>8}"]
        for name, figures in self.levels.items():
            counts = f"{figures['ran']:6} {len(figures['failed']):6}"
            lines.append(f"{name:26} {counts} {figures['seconds']:8.1f}")
        lines += [f"FAILED {what}" for what in self.failed]
        end = "something failed" if self.failed else "all passed"
        return "\n".join(["", *lines, f"{end}, {seconds:.0f} s", ""])


async def execute(run: Run, folder: Path, result: Result) -> None:
    """Run pytest, print its output, and add its result to ``result``; other runs go on."""
    try:
        await _execute(run, folder, result)
    except Exception as error:  # noqa: BLE001 - the summary names it
        result.broken.append(f"the run {run.name!r}: {type(error).__name__}: {error}")


async def _execute(run: Run, folder: Path, result: Result) -> None:
    report = folder / f"{run.name}.json"
    command = [sys.executable, "-m", "pytest", *run.arguments, f"--levels-file={report}"]
    process = await asyncio.create_subprocess_exec(
        *(["nice", "-n", NICE] if run.yields else []),
        *command,
        cwd=PROJECT_ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        limit=_LINE_LIMIT,
    )
    if run.yields:
        with suppress(OSError):  # Linux with autogroups schedules by session, not by process
            Path(f"/proc/{process.pid}/autogroup").write_text(NICE)  # noqa: ASYNC240 - no disk
    try:
        await _print_lines(run, process)
        code = await process.wait()
    finally:
        await _end(process)
    levels = json.loads(report.read_text()) if report.exists() else {}
    result.add(levels)
    if code != 0 and not any(figures["failed"] for figures in levels.values()):
        result.broken.append(f"the run {run.name!r}: exit code {code}, see its output above")


async def _print_lines(run: Run, process: asyncio.subprocess.Process) -> None:
    if process.stdout is None:
        return
    while line := await _read_line(process.stdout):
        sys.stdout.write(f"{run.name:6}| {line.decode(errors='replace')}")
        sys.stdout.flush()


async def _read_line(output: asyncio.StreamReader) -> bytes:
    """The next line, or a part of one that is too long; b"" at the end."""
    try:
        return await output.readuntil()
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await output.readexactly(error.consumed)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a run that was interrupted; on SIGINT pytest ends its servers."""
    if process.returncode is None:
        process.send_signal(signal.SIGINT)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), KILL_AFTER)
    with suppress(ProcessLookupError):  # what pytest has left in its process group
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def main(stages: Sequence[Sequence[Run]] = STAGES) -> int:
    """Run the stages in order; returns the exit code."""
    began, result = time.monotonic(), Result()
    with tempfile.TemporaryDirectory(prefix="lastword-tests-") as folder:
        for stage in stages:
            async with asyncio.TaskGroup() as tasks:
                for run in stage:
                    tasks.create_task(execute(run, Path(folder), result))
    sys.stdout.write(result.summary(time.monotonic() - began))
    return 1 if result.failed else 0


async def until_told_to_stop() -> int:
    """Run everything; SIGINT and SIGTERM end what was started, in the background of a script too.

    A shell lets the background jobs of a script ignore SIGINT, and so would the runs of pytest.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if (this := asyncio.current_task()) is not None:
        for stop in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(stop, this.cancel)
    return await main()


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(until_told_to_stop()))
    except asyncio.CancelledError:
        sys.exit("stopped before the end")
