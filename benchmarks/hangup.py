"""Measure the end of calls in the caller's audio, and compare with LiveKit's ``EndCallTool``.

``python -m benchmarks.hangup [--calls 100] [--pairs 10]`` makes short calls in real rooms on this
machine. The first are with Lastword alone: how much of each farewell is heard, and when the line is
gone. Then it makes each call twice, with Lastword and with a stock worker: the same server, voice,
recogniser and turn handling, and a model whose first token takes 400 ms. Each utterance ends with a
closing tone, so that its end can be measured exactly. The exit code is 1 if a call misses a target.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil
from livekit import api
from rich.table import Table

from benchmarks.goodbyes import FAREWELLS, LINES
from benchmarks.side_by_side import Pair, figures, in_words, make_pairs, table
from lastword.errors import LastwordError
from lastword.settings import Settings
from lastword.terminal import SafeConsole
from lastword.testing.stage.caller_job import CallerLine
from lastword.testing.stage.livekit_server import LocalServer
from lastword.testing.stage.stage import Plan, Stage, stage
from lastword.testing.stage.verdict import Verdict

GRAPHS = Path(__file__).parent / "langgraph.json"
ENDINGS = ("end-node", "end-token")
"""The graphs of that file; each is named after the way it ends its calls."""
TAIL, EXACT = 0.5, 0.1
"""Seconds from the farewell's last sample to the hang-up, and the deviation that is allowed."""
FIRST_TOKEN = 0.4
"""Seconds until the model's first token in a pair of calls."""
PROCESS_EXIT_WAIT = 3.0
"""Seconds that a process may take to exit after its worker."""


class Ended(NamedTuple):
    """A call with Lastword alone: its graph (a name in ``ENDINGS``), its farewell, its verdict."""

    ending: str
    farewell: str
    verdict: Verdict


class Results(NamedTuple):
    """All measurements; ``left`` describes rooms and processes that should be gone but are not."""

    calls: list[Ended]
    pairs: list[Pair]
    left: list[str]


def plan(number: int, graph: str, *, thinks: float = 0.0) -> Plan:
    """Plan one call; the caller's line and the farewell depend on its number.

    Args:
        number: from 0.
        graph: a name in ``benchmarks/langgraph.json``.
        thinks: seconds until the model's first token, for each request.
    """
    farewell = FAREWELLS[number % len(FAREWELLS)]
    metadata = {"graph": graph, "farewell": farewell, "thinks": thinks}
    return Plan([CallerLine(LINES[number % len(LINES)])], metadata)


async def make_calls(on_stage: Stage, number: int, report: Callable[[str], object]) -> list[Ended]:
    """Make ``number`` calls with Lastword alone, one after the other, with each graph in turn."""
    ended: list[Ended] = []
    for count in range(number):
        one = plan(count, ENDINGS[count % len(ENDINGS)])
        verdict = await on_stage.call(one)
        ended.append(Ended(one.metadata["graph"], one.metadata["farewell"], verdict))
        report(f"call {count + 1} of {number}: {_in_words(verdict)}")
    return ended


async def measure(calls: int, pairs: int, folder: Path, console: SafeConsole) -> Results:
    """Make all calls on one server."""
    settings = Settings(providers="offline", calls_dir=folder, graphs_config=GRAPHS)
    report = partial(console.print, style="dim")
    plans = [plan(count, "end-token", thinks=FIRST_TOKEN) for count in range(pairs)]
    async with stage(settings, report=report, closing_tone=True) as on_stage:
        ended = await make_calls(on_stage, calls, report)
        compared: list[Pair] = []
        if plans:
            compared = await make_pairs(on_stage, settings, folder / "stock", plans, report)
        rooms = await rooms_left(on_stage.server)
    return Results(ended, compared, rooms)


async def rooms_left(server: LocalServer) -> list[str]:
    """The rooms on the server, each with the identities of its participants."""
    found: list[str] = []
    async with server.api() as client:
        for name in await server.rooms():
            present = await client.room.list_participants(api.ListParticipantsRequest(room=name))
            found.append(f"room {name}: {[one.identity for one in present.participants]}")
    return found


def processes_left(folder: Path) -> list[str]:
    """The processes that this process or the workers in ``folder`` started and that still run."""
    started = psutil.Process().children(recursive=True)
    started += [one for one in psutil.process_iter() if _works_in(folder, one)]
    _, alive = psutil.wait_procs(started, timeout=PROCESS_EXIT_WAIT)
    return [str(one) for one in alive]


def show(results: Results, console: SafeConsole) -> None:
    """Print the figures."""
    if results.calls:
        console.print(_by_kind(results.calls))
        console.print(_summary(results.calls))
    if results.pairs:
        console.print(table(results.pairs))
    console.print(f"rooms and processes left: {len(results.left)}")


def missed(results: Results) -> list[str]:
    """The targets that were missed, a sentence each."""
    found = [
        f"call {number}: {_in_words(call.verdict)}"
        for number, call in enumerate(results.calls, 1)
        if not call.verdict.good or not _on_time(call.verdict.line_gone_after)
    ]
    found += [
        f"pair {number}: {in_words(pair)}"
        for number, pair in enumerate(results.pairs, 1)
        if pair.ours.lost or not _on_time(pair.ours.line_gone)
    ]
    if results.pairs:
        ours, stock = map(statistics.median, figures(results.pairs, "first_sound"))
        if ours >= stock:
            found.append("Lastword's goodbye is not heard sooner than the stock worker's")
    return found + [f"left: {one}" for one in results.left]


def main() -> None:
    """Run the benchmark; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=10)
    arguments = parser.parse_args()
    console = SafeConsole(soft_wrap=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            work = measure(arguments.calls, arguments.pairs, Path(folder), console)
            results = asyncio.run(work)
            results.left.extend(processes_left(Path(folder)))
    except LastwordError as error:
        raise SystemExit(str(error)) from error
    show(results, console)
    raise SystemExit("\n".join(missed(results)) or 0)


def _by_kind(calls: Sequence[Ended]) -> Table:
    shown = Table("ended by", "calls", "farewell", "lost", "last sample heard → line gone")
    for ending, farewell in dict.fromkeys((call.ending, call.farewell) for call in calls):
        verdicts = [c.verdict for c in calls if (c.ending, c.farewell) == (ending, farewell)]
        heard = [verdict.farewell for verdict in verdicts if verdict.farewell]
        seconds = f"{statistics.median(one.total_s for one in heard):.2f} s" if heard else "-"
        lost = f"{sum(one.lost_s for one in heard) * 1000:.0f} ms"
        shown.add_row(ending, str(len(verdicts)), seconds, lost, _gone(verdicts))
    return shown


def _summary(calls: Sequence[Ended]) -> str:
    verdicts = [call.verdict for call in calls]
    by_graph = sum(verdict.ended_by == "graph" for verdict in verdicts)
    lost = sum(verdict.farewell.lost_s for verdict in verdicts if verdict.farewell)
    return (
        f"{by_graph} of {len(calls)} calls ended by the graph; {lost * 1000:.0f} ms of all "
        f"farewells lost; last sample heard → line gone {_gone(verdicts)} (min / median / max), "
        f"tail {TAIL} s"
    )


def _gone(verdicts: Sequence[Verdict]) -> str:
    seconds = [v.line_gone_after for v in verdicts if v.line_gone_after is not None]
    if not seconds:
        return "-"
    return f"{min(seconds):.3f} / {statistics.median(seconds):.3f} / {max(seconds):.3f} s"


def _on_time(line_gone: float | None) -> bool:
    return line_gone is not None and abs(line_gone - TAIL) <= EXACT


def _works_in(folder: Path, process: psutil.Process) -> bool:
    """Whether a worker in ``folder`` started it, told by the environment, which orphans keep."""
    try:
        return process.environ().get("LASTWORD_STORE", "").startswith(str(folder))
    except psutil.Error:
        return False


def _in_words(verdict: Verdict) -> str:
    heard, gone = verdict.farewell, verdict.line_gone_after
    return (
        f"ended by {verdict.ended_by} ({verdict.reason}), "
        f"{f'{heard.lost_s * 1000:.0f} ms lost' if heard else 'no farewell'}, "
        f"{f'gone after {gone:.3f} s' if gone is not None else 'nothing heard'}"
        f"{', room left' if verdict.room_left else ''}"
    )


if __name__ == "__main__":
    main()
