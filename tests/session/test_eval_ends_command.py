"""The command ``lastword eval ends``: two sides, files, exit codes."""

from __future__ import annotations

import asyncio
import json
import re
import stat
import sys
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from lastword.errors import BelowThreshold, EvaluationFailed
from lastword.settings import Settings, inherited_environment
from lastword.terminal import SafeConsole
from lastword.tools.evaluation.ends import EndsRequest, measure_ends
from lastword.tools.evaluation.second_model import run_elsewhere
from tests import PROJECT_ROOT
from tests.fakes.labelled_case import case
from tests.fakes.openai_server import fake_openai


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("LASTWORD_PROVIDERS", "offline")
    return Settings(graphs_config=PROJECT_ROOT / "langgraph.json")


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    """Four cases; reception and survey have three right, and each misses another one."""
    cases = [
        case("done", "end", "Is there anything else I can do for you?", "No, that is all."),
        case("bye", "end", "How can I help you?", "Goodbye."),
        case("hours", "continue", "How can I help you?", "When are you open?"),
        case("no-time", "end", "May I ask you three short questions?", "I am not interested."),
    ]
    file = tmp_path / "cases.jsonl"
    file.write_text("\n".join(one.model_dump_json() for one in cases))
    return str(file)


def measured(request: EndsRequest, settings: Settings) -> str:
    """What the command prints."""
    console = SafeConsole(file=StringIO(), width=100)
    measure_ends(request, settings, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_two_graphs_stand_side_by_side(settings: Settings, dataset: str, tmp_path: Path) -> None:
    file, page = tmp_path / "ends.json", tmp_path / "ends.md"
    said = measured(
        EndsRequest(dataset, "reception", against="survey", json_file=file, out=page), settings
    )
    assert "Graph reception, model: offline-rules." in said
    assert "cases on which A and B differ: 2" in said
    assert [stat.S_IMODE(each.stat().st_mode) for each in (file, page)] == [0o600, 0o600]
    written = json.loads(file.read_text())
    assert [side["graph"] for side in written["sides"]] == ["reception", "survey"]
    assert written["sides"][0]["figures"]["recall"]["hits"] == 2
    assert written["difference"]["differing"] == ["done", "no-time"]
    assert written["difference"]["mcnemar_p"] == 1.0
    assert "missed hang-ups of reception" in page.read_text()


@pytest.mark.parametrize(
    ("thresholds", "sentence"),
    [
        ({"least_recall": 0.7}, "recall is 0.667, but --fail-under-recall requires 0.7"),
        (
            {"least_precision": 0.1, "categories": ("quiet",)},
            "precision is undefined, but --fail-under-precision requires 0.1",
        ),
        ({"least_precision": 1.0, "least_recall": 0.66}, ""),
    ],
)
def test_a_figure_below_what_was_asked_for_fails_after_the_report(
    settings: Settings, dataset: str, thresholds: dict[str, Any], sentence: str
) -> None:
    quiet = case("quiet", "continue", "How can I help you?", "Hello?")
    with Path(dataset).open("a") as file:
        file.write("\n" + quiet.model_copy(update={"category": "quiet"}).model_dump_json())
    request = EndsRequest(dataset, "reception", **thresholds)
    if not sentence:
        assert "66.7 %" in measured(request, settings)
        return
    with pytest.raises(BelowThreshold, match=re.escape(sentence)):
        measured(request, settings)


def test_a_graph_that_always_fails_is_no_measurement(
    settings: Settings, dataset: str, tmp_path: Path
) -> None:
    config = tmp_path / "langgraph.json"
    config.write_text('{"graphs": {"silent": "tests.fakes.sample_graphs:graph"}}')
    broken = settings.model_copy(update={"graphs_config": config})
    with pytest.raises(EvaluationFailed, match="every case of silent failed, the first with Graph"):
        measured(EndsRequest(dataset, "silent"), broken)


def test_a_file_that_cannot_be_written_is_refused_before_anything_runs(
    settings: Settings, dataset: str, tmp_path: Path
) -> None:
    request = EndsRequest(dataset, "no-such-graph", json_file=tmp_path / "nowhere" / "ends.json")
    with pytest.raises(EvaluationFailed, match="the folder .* does not exist"):
        measured(request, settings)


async def ends(*arguments: str, **env: str) -> tuple[int, str, str]:
    """The command as a user runs it: exit code, output, errors."""
    env = {"LASTWORD_PROVIDERS": "offline", "COLUMNS": "200"} | env
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lastword", "eval", "ends", *arguments),
        env=inherited_environment() | env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await process.communicate()
    return process.returncode or 0, said.decode(), errors.decode()


async def test_two_models_are_asked_each_in_a_process_of_its_own(dataset: str) -> None:
    async with fake_openai(*["Goodbye. <end>"] * 8) as openai:
        code, said, errors = await ends(
            *(dataset, "--graph", "survey", "--model", "first", "--against-model", "second"),
            LASTWORD_PROVIDERS="auto",
            OPENAI_BASE_URL=openai.base_url,
        )
    assert (code, errors) == (0, "")
    assert Counter(request["model"] for request in openai.requests) == {"first": 4, "second": 4}
    assert [line.strip() for line in said.splitlines() if line.startswith("Graph survey")] == [
        "Graph survey, model: first.",
        "Graph survey, model: second.",
    ]
    assert "Only A is right in 0 cases, only B in 0; McNemar's exact test" in said


async def test_a_model_that_did_not_answer_is_told_and_no_store_is_written(
    dataset: str, tmp_path: Path
) -> None:
    store = tmp_path / "store.sqlite3"
    code, said, errors = await ends(
        *(dataset, "--graph", "appointment", "--model", "other"),
        *("--history", "replayed", "--fail-under-recall", "1"),
        LASTWORD_STORE=str(store),
    )
    assert "Graph appointment, model: offline-rules. other was requested, but" in said
    assert code == 1
    assert re.fullmatch(
        r"lastword: recall is 0\.\d+, but --fail-under-recall requires 1:.*\n", errors
    )
    assert not store.exists()


async def test_a_second_side_that_breaks_says_why_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        EvaluationFailed, match="^the second side failed: the dataset 'x' does not exist"
    ):
        await run_elsewhere(["x"], {}, tmp_path)
