"""Calls in a row: how much of each farewell is heard, and when the line is gone.

``python -m benchmarks.calls [N]`` makes N calls (default 20) on one server, with the bundled caller
scripts in turn. Each utterance ends with a closing tone, so that the end of the farewell can be
measured exactly.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path

import psutil
from rich.table import Table

from lastword.settings import Settings
from lastword.terminal import SafeConsole
from lastword.testing.stage.stage import stage
from lastword.testing.stage.verdict import Verdict
from lastword.tools.rehearsal.command import Rehearsal, read_plan

SCRIPTS = sorted(path.stem for path in Path("graphs/callers").glob("*.yaml"))
TAIL = 0.5


async def make_calls(number: int, folder: Path, console: SafeConsole) -> list[tuple[str, Verdict]]:
    """Make ``number`` calls, one after the other; returns script and verdict of each."""
    settings = Settings(providers="offline", calls_dir=folder)
    scripts = islice(cycle(SCRIPTS), number)
    verdicts: list[tuple[str, Verdict]] = []
    async with stage(settings, report=console.print, closing_tone=True) as on_stage:
        for script in scripts:
            verdict = await on_stage.call(read_plan(Rehearsal(settings, script=script)))
            verdicts.append((script, verdict))
            console.print(f"{len(verdicts)}/{number} {script}: {verdict.reason}", style="dim")
    return verdicts


def show(verdicts: list[tuple[str, Verdict]], left: int, console: SafeConsole) -> None:
    """Print a row for each call, and a summary; ``left`` is the number of processes left."""
    table = Table(
        "script", "ended by", "reason", "farewell", "lost", "lost at its end", "line gone"
    )
    for script, verdict in verdicts:
        heard = verdict.farewell
        table.add_row(
            script,
            verdict.ended_by,
            verdict.reason,
            f"{heard.total_s:.2f} s" if heard else "none",
            f"{heard.lost_s * 1000:.0f} ms" if heard else "-",
            f"{heard.lost_at_end_s * 1000:.0f} ms" if heard else "-",
            f"{verdict.line_gone_after:.3f} s" if verdict.line_gone_after else "-",
        )
    console.print(table)
    gone = [verdict.line_gone_after or 0.0 for _, verdict in verdicts]
    lost = sum(verdict.farewell.lost_s for _, verdict in verdicts if verdict.farewell)
    console.print(
        f"{sum(v.ended_by == 'graph' for _, v in verdicts)} of {len(verdicts)} ended by the graph; "
        f"{lost * 1000:.0f} ms of all farewells lost; last sample → line gone "
        f"{min(gone):.3f} to {max(gone):.3f} s, median {statistics.median(gone):.3f} s "
        f"(tail {TAIL} s); {sum(v.room_left for _, v in verdicts)} rooms and {left} processes left"
    )


def main() -> None:
    """Run the benchmark; the exit code is 1 if a call failed or something is left running."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    console = SafeConsole()
    with tempfile.TemporaryDirectory() as folder:
        verdicts = asyncio.run(make_calls(number, Path(folder), console))
    left = len(psutil.Process().children(recursive=True))
    show(verdicts, left, console)
    good = all(
        verdict.good and abs((verdict.line_gone_after or 0.0) - TAIL) <= 0.1
        for _, verdict in verdicts
    )
    raise SystemExit(0 if good and not left else 1)


if __name__ == "__main__":
    main()
