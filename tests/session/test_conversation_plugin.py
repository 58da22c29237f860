"""Transcripts as items of pytest, in a project of their own, each run a process (P10)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.hostile import steers
from tests.fakes.shop_project import BUYS, CHEAP, LEAVES, Project, command, shop_project

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return shop_project(tmp_path)


def test_p10_a_conversation_that_goes_wrong_is_printed_with_its_line_and_a_diff(
    project: Project,
) -> None:
    project.write(buys=BUYS, cheap=CHEAP, leaves=LEAVES)
    ran = project.pytest("--lastword-level", "graph,session")
    assert ran.code == 1
    assert "2 failed, 4 passed" in ran.printed, "each at both levels"
    for level in ("graph", "session"):
        assert f"cheap.yaml::cheap[{level}]" in ran.printed
        head = f"cheap.yaml:6: agent: the agent said something else (level {level})"
        script = ran.printed[ran.printed.index(head) :]
        assert "\n     5  caller  I want an apple.\n>    6  agent   That is five euros." in script
        assert "- That is two euros.\n" in script
        assert "+ That is five euros.\n" in script
        assert "... not reached: line 8 and after it" in script
    assert "Traceback" not in ran.printed


def test_p10_conversations_are_chosen_as_any_other_test(project: Project) -> None:
    project.write(buys=BUYS, cheap=CHEAP, leaves=LEAVES)
    assert "1 passed, 2 deselected" in project.pytest("-k", "leaves").printed
    assert "1 failed, 1 passed, 1 deselected" in project.pytest("-m", "till").printed
    assert "1 failed" in project.pytest("--lf").printed
    unknown = project.pytest("--lastword-level", "graph,moon")
    assert unknown.code == pytest.ExitCode.USAGE_ERROR
    assert "invalid choice: 'moon'" in unknown.printed


def test_p10_a_mistake_in_a_file_is_an_error_that_names_it(project: Project) -> None:
    project.write(buys=BUYS.replace("agent: That", "agnet: That"))
    ran = project.pytest()
    assert ran.code == pytest.ExitCode.INTERRUPTED
    assert "buys.yaml:6: a turn needs one of the fields" in ran.printed
    assert "(did you mean 'agent'?)" in ran.printed
    assert "Traceback" not in ran.printed


def test_p10_repeating_gives_a_pass_rate_with_its_interval(project: Project) -> None:
    project.write(buys=BUYS, cheap=CHEAP)
    printed = project.pytest("--lastword-repeat", "5").printed
    assert "5 of 5 (100 %, 95 %: 57-100 %)  tests/conversations/buys.yaml::buys" in printed
    assert "0 of 5 (0 %, 95 %: 0-43 %)  tests/conversations/cheap.yaml::cheap" in printed


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one", "xdist"])
def test_p10_ways_that_no_conversation_takes_are_named(
    project: Project, workers: list[str]
) -> None:
    project.write(leaves=LEAVES, again=LEAVES)
    ran = project.pytest(
        "--lastword-graph-coverage=reports", "--lastword-fail-under-edges", "50", *workers
    )
    assert ran.code == 1, "all conversations passed, and too few edges were taken"
    assert "2 passed" in ran.printed
    assert "nodes not run: sell, end" in ran.printed
    assert "shop: 33 % of the edges were taken, 50 % are required" in ran.printed
    reports = project.folder / "reports"
    [graph] = json.loads((reports / "coverage.json").read_text())["graphs"]
    assert graph["graph"] == "shop"
    assert "```mermaid\nflowchart LR\n" in (reports / "coverage.md").read_text()
    project.write(buys=BUYS)
    ran = project.pytest(
        "--lastword-graph-coverage", "--lastword-fail-under-edges", "100", *workers
    )
    assert ran.code == 0
    assert "6/6 100 %" in ran.printed


def test_p10_an_ending_that_was_called_off_counts_as_none(project: Project) -> None:
    text = BUYS[: BUYS.index("ended:")].replace("... goodbye", "Thank you.")
    project.write(buys=text + "  - caller: I want a pear.\n    over: thank you\nended: false\n")
    printed = project.pytest("--lastword-graph-coverage").printed
    assert "1 passed" in printed
    assert "endings not seen" in printed


def test_p10_graphs_that_cannot_be_covered_are_one_sentence(project: Project) -> None:
    (project.folder / "langgraph.json").write_text('{"graphs": {"shop": "no:graph"}}')
    project.write(buys=BUYS)
    ran = project.pytest("--lastword-graph-coverage")
    assert ran.code == 1
    assert "no graph coverage: graph 'shop' (no:graph) does not load" in ran.printed
    assert "INTERNALERROR" not in ran.printed
    assert "Traceback" not in ran.printed


def test_p10_a_conversation_is_skipped_where_it_cannot_be_had(project: Project) -> None:
    project.write(buys="levels: graph\n" + BUYS)
    printed = project.pytest("--lastword-level", "session", "-rs").printed
    assert "1 skipped" in printed
    assert "not at the level session, only at: graph" in printed
    project.write(buys="turns:\n  - voicemail: Please leave a message.\n")
    printed = project.pytest("--lastword-level", "room", "-rs").printed
    assert "line 2: a room has no answering machine" in printed


def test_p10_a_project_gives_its_graphs_a_context(project: Project) -> None:
    (project.folder / "conftest.py").write_text(
        "def pytest_lastword_context(transcript):\n    return {'shop': f'Shop {transcript.name}'}\n"
    )
    project.write(buys=BUYS.replace("Hello ...", "Hello, this is shop buys."))
    ran = project.pytest()
    assert ran.code == 0


def test_p10_the_plugin_leaves_other_projects_alone(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("turns: nonsense")
    (tmp_path / "test_other.py").write_text(
        "import sys\n\n\ndef test_nothing():\n    assert 'livekit.agents' not in sys.modules\n"
    )
    ran = command(tmp_path, "-m", "pytest", "-p", "no:randomly", "-p", "no:langsmith_plugin")
    assert "1 passed" in ran.printed


def test_p10_nothing_that_is_said_or_named_steers_the_terminal(project: Project) -> None:
    graph = project.folder / "shop.py"
    words = r"\x1b[2J\x07\x9b2J \u202e\u2028"
    graph.write_text(
        graph.read_text()
        .replace("That is five euros.", words)
        .replace('"Thank you. Goodbye!"', "boom()")
        + f"\ndef boom():\n    print({words!r})\n    raise ValueError('{words}')\n"
    )
    name = "buys\x1b[2J\x9b\u202e"
    title = r'title: "\e]0;x\a \e[2J \u202E"'
    goes_wrong = f"{title}\n" + CHEAP.partition("\n")[2]
    fails = 'turns:\n  - agent: "Hello ..."\n  - caller: Goodbye.\n  - agent: Goodbye.\n'
    project.write(fails=fails)
    project.write(**{name: goes_wrong, f"{name} 2": r'turns: "\e[2J"'}, leaves=LEAVES)
    for arguments in (["-vv"], ["-q", "--collect-only"], ["--lastword-level", "session", "-rA"]):
        ran = project.pytest(
            "--continue-on-collection-errors", "--lastword-graph-coverage", *arguments
        )
        assert ran.code
        assert steers(ran.printed) == []
    (project.folder / "test_python.py").write_text(
        "async def test_it(lastword_conversation):\n"
        "    async with lastword_conversation('shop') as call:\n"
        "        await call.says('An apple.')\n"
        f"        raise ValueError('{words}')\n"
    )
    ran = project.pytest("test_python.py", "-o", "asyncio_mode=auto")
    assert "1 failed" in ran.printed
    assert steers(ran.printed) == []
