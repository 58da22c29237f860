"""The same short calls with Lastword and with LiveKit's ``EndCallTool`` ("stock"), alternating.

Both are measured in the same way, from what the caller hears. The stock worker makes two requests
to its model, one for the tool call and one for the goodbye. It deletes the room after its session
has closed, and the session waits 2 s for late words of the caller
(``session_close_transcript_timeout``).
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.table import Column, Table

from benchmarks.goodbyes import STOCK_AGENT
from lastword.errors import CallFailed
from lastword.settings import Settings
from lastword.testing.stage.stage import Plan, Stage, WorkerProgram, worker_on
from lastword.testing.stage.verdict import CallFacts, measure_farewell

STOCK = WorkerProgram(
    "the stock worker",
    [sys.executable, "-m", "benchmarks.stock_worker", "start", "--drain-timeout", "2"],
    reports_calls=False,
)


class Goodbye(NamedTuple):
    """How the caller heard the call end; all values in seconds."""

    first_sound: float
    """From the end of the caller's last word to the first sound of the goodbye."""
    line_gone: float
    """From the last sound of the goodbye that was heard until the line was gone."""
    lost: float
    """How much of the goodbye was not heard, anywhere in it."""


HEAD = ("median (min to max)", "Lastword", "EndCallTool", "ratio")
ROWS = {
    "first_sound": ("last word → goodbye", "s", 1.0, "{:.2f}"),
    "line_gone": ("goodbye → line gone", "s", 1.0, "{:.2f}"),
    "lost": ("goodbye lost", "ms", 1000.0, "{:.0f}"),
}
"""The rows of the table, by field of ``Goodbye``: name, unit, factor and format."""


class Pair(NamedTuple):
    """The same call with both workers."""

    ours: Goodbye
    stock: Goodbye


def measure(facts: CallFacts) -> Goodbye:
    """Measure the goodbye from the caller's events and recording alone.

    Raises:
        CallFailed: the caller heard no goodbye.
    """
    line_end = max((e["t"] for e in facts.caller if e["event"] == "line_finished"), default=0.0)
    sounds = [e["t"] for e in facts.caller if e["event"] == "agent_speaking_started"]
    sound = next((t for t in sounds if t > line_end), None)
    measured = measure_farewell(facts.speech, facts.folder / "recording.wav")
    heard, gone = measured or (None, None)
    if sound is None or heard is None or gone is None:
        raise CallFailed(f"the caller heard no goodbye in call {facts.folder.name}")
    return Goodbye(sound - line_end, gone, heard.lost_s)


async def make_pairs(
    ours: Stage,
    settings: Settings,
    folder: Path,
    plans: Sequence[Plan],
    report: Callable[[str], object],
) -> list[Pair]:
    """Make each call with both workers, on the same server; they alternate in which goes first.

    Raises:
        CallFailed: a worker or a caller failed, or a caller heard no goodbye.
    """
    settings = settings.model_copy(update={"agent_name": STOCK_AGENT})
    pairs: list[Pair] = []
    async with worker_on(ours.server, settings, folder, closing_tone=True, program=STOCK) as stock:
        order = [ours, stock]
        for plan in plans:
            found = {
                stage: await asyncio.to_thread(measure, await stage.ring(plan)) for stage in order
            }
            pairs.append(Pair(found[ours], found[stock]))
            order.reverse()
            report(f"pair {len(pairs)} of {len(plans)}: {in_words(pairs[-1])}")
    return pairs


def figures(pairs: Sequence[Pair], name: str) -> tuple[list[float], list[float]]:
    """One field of ``Goodbye`` over all calls: Lastword's values, then the stock worker's."""
    return [getattr(p.ours, name) for p in pairs], [getattr(p.stock, name) for p in pairs]


def in_words(pair: Pair) -> str:
    """The measurements of a pair, in one line."""
    return ", ".join(
        f"{name} {one.first_sound:.2f} + {one.line_gone:.2f} s, {one.lost * 1000:.0f} ms lost"
        for name, one in zip(("Lastword", "stock"), pair, strict=True)
    )


def table(pairs: Sequence[Pair]) -> Table:
    """A table of both workers' median, minimum and maximum, and the ratio of the medians."""
    shown = Table(*(Column(name, no_wrap=True) for name in HEAD))
    for name, (what, unit, factor, form) in ROWS.items():
        both = figures(pairs, name)
        cells = [_cell([value * factor for value in values], form) for values in both]
        shown.add_row(f"{what} ({unit})", *cells, _ratio(*map(statistics.median, both)))
    return shown


def _cell(values: Sequence[float], form: str) -> str:
    median, least, most = (
        form.format(value) for value in (statistics.median(values), min(values), max(values))
    )
    return f"{median} ({least} to {most})"


def _ratio(ours: float, stock: float) -> str:
    return f"{ours / stock:.2f}" if stock else "-"
