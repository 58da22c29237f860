"""``lastword eval ends``: measure whether a graph hangs up when it should."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from rich.progress import Progress

from lastword.dispatch import read_dispatch
from lastword.errors import BelowThreshold, EvaluationFailed
from lastword.graphs_config import CallGraph, choose_graph, graph_specs, load_graph
from lastword.private_files import private_file
from lastword.settings import Settings, choose_chat_model
from lastword.terminal import SafeConsole
from lastword.testing.project_under_test import ContextFactory, read_project_under_test
from lastword.tools.evaluation.case_run import UNKNOWN_MODEL, CaseSetting, History, run_side
from lastword.tools.evaluation.dataset import Case, choose_cases, read_dataset
from lastword.tools.evaluation.figures import Decision, Figures, Side, figures
from lastword.tools.evaluation.report import SHOWN_CASES, as_json, report, show
from lastword.tools.evaluation.second_model import run_elsewhere

Run = Callable[[Coroutine[Any, Any, list[Side]]], list[Side]]
"""Runs asynchronous work to its end, as ``asyncio.run`` does."""


@dataclass(frozen=True)
class EndsRequest:
    """The options of ``lastword eval ends``; see its ``--help``."""

    dataset: str
    graph: str | None = None
    history: History = "given"
    metadata: str = ""
    model: str | None = None
    against: str | None = None
    against_model: str | None = None
    parallel: int = 4
    limit: int | None = None
    categories: tuple[str, ...] = ()
    json_file: Path | None = None
    out: Path | None = None
    least_precision: float | None = None
    least_recall: float | None = None


@dataclass(frozen=True)
class _Plan:
    """A request with its cases read and its graphs loaded."""

    request: EndsRequest
    cases: Sequence[Case]
    graph: CallGraph
    second: CallGraph | None
    """None if there is no second side, or if it runs in a second process."""
    project_context: ContextFactory


def measure_ends(
    request: EndsRequest, settings: Settings, console: SafeConsole, run: Run = asyncio.run
) -> None:
    """Measure, print the report and write the files.

    Raises:
        DatasetError: the cases cannot be read.
        GraphError: a graph does not load.
        EvaluationFailed: every case of a side failed, or the folder of a file does not exist.
        UnwritableFile: a file cannot be written.
        BelowThreshold: a figure of the first side is below its threshold.
    """
    plan = _prepare(request, settings)
    with TemporaryDirectory(prefix="lastword-eval-") as folder, _progress(plan, console) as decided:
        sides = run(_run(plan, Path(folder), decided))
    header = _header(plan, sides)
    show(report(header, sides, SHOWN_CASES), console)
    if request.json_file is not None:
        data = as_json(_about(request), sides)
        _write(request.json_file, json.dumps(data, indent=1, ensure_ascii=False))
    if request.out is not None:
        _write(request.out, report(header, sides))
    for side in sides:
        _refuse_only_failures(side)
    _compare_to_thresholds(request, figures(sides[0].decisions))


def _prepare(request: EndsRequest, settings: Settings) -> _Plan:
    read_dispatch(request.metadata)
    for file in (request.json_file, request.out):
        if file is not None and not file.resolve().parent.is_dir():
            raise EvaluationFailed(
                f"{file} cannot be written: the folder {file.parent} does not exist"
            )
    cases = choose_cases(read_dataset(Path(request.dataset)), request.categories, request.limit)
    if request.model is not None:
        choose_chat_model(request.model)
    config = settings.graphs_config
    graph = load_graph(
        choose_graph(request.graph, settings.graph, known=graph_specs(config)), config
    )
    other = load_graph(request.against, config) if request.against is not None else None
    second = None if request.against_model else other
    return _Plan(request, cases, graph, second, read_project_under_test(config).call_context)


async def _run(plan: _Plan, folder: Path, decided: Callable[[Decision], None]) -> list[Side]:
    request = plan.request
    setting = CaseSetting(
        request.history,
        read_dispatch(request.metadata),
        more_context=lambda: plan.project_context(Path(mkdtemp(dir=folder))),
    )
    sides = [
        await run_side(graph, plan.cases, setting, parallel=request.parallel, decided=decided)
        for graph in (plan.graph, plan.second)
        if graph is not None
    ]
    if request.against_model is not None:
        by_id = {case.id: case for case in plan.cases}
        sides.append(await run_elsewhere(_second_arguments(plan), by_id, folder))
    return sides


def _second_arguments(plan: _Plan) -> list[str]:
    """Arguments of the command that measures the side of ``--against-model``."""
    request = plan.request
    options: dict[str, object] = {
        "--graph": request.against or plan.graph.name,
        "--model": request.against_model,
        "--history": request.history,
        "--metadata": request.metadata,
        "--parallel": request.parallel,
    }
    if request.limit is not None:
        options["--limit"] = request.limit
    arguments = [request.dataset]
    for name, value in options.items():
        arguments += [name, str(value)]
    for category in request.categories:
        arguments += ["--category", category]
    return arguments


def _header(plan: _Plan, sides: Sequence[Side]) -> list[str]:
    request = plan.request
    ends = sum(case.label == "end" for case in plan.cases)
    lines = [
        f"{request.dataset}: {len(plan.cases)} cases, {ends} labelled end and "
        f"{len(plan.cases) - ends} continue; history {request.history}; "
        f"{request.parallel} at once."
    ]
    wanted = [request.model]
    if len(sides) > 1:
        wanted.append(request.against_model or request.model)
    for side, model in zip(sides, wanted, strict=True):
        known = side.model if side.model != UNKNOWN_MODEL else "unknown, or no model was called"
        line = f"Graph {side.graph}, model: {known}."
        if model is not None and model != side.model:
            line += (
                f" {model} was requested, but did not answer: the graph must read the name of its "
                "model from LASTWORD_CHAT_MODEL, and needs the model's key."
            )
        lines.append(line)
    return lines


def _about(request: EndsRequest) -> dict[str, Any]:
    return {
        "dataset": request.dataset,
        "history": request.history,
        "parallel": request.parallel,
    }


def _write(file: Path, text: str) -> None:
    """Write a file that only its owner can read, because it contains callers' words."""
    with private_file(file) as written:
        written.write(text.encode())


def _refuse_only_failures(side: Side) -> None:
    if all(one.outcome == "failed" for one in side.decisions):
        why = side.decisions[0].why or "see the wrong cases above"
        raise EvaluationFailed(f"every case of {side.graph} failed, the first with {why}")


def _compare_to_thresholds(request: EndsRequest, of: Figures) -> None:
    for name, least, share in (
        ("precision", request.least_precision, of.precision),
        ("recall", request.least_recall, of.recall),
    ):
        if least is not None and (share.value is None or share.value < least):
            raise BelowThreshold(name, share.value, least)


@contextmanager
def _progress(plan: _Plan, console: SafeConsole) -> Iterator[Callable[[Decision], None]]:
    """Show a progress bar in a terminal."""
    number = len(plan.cases) * (2 if plan.second else 1)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("cases", total=number)
        yield lambda _: progress.advance(task)
