"""``lastword check`` finds what would go wrong in calls of a graph, and never runs the graph."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from lastword.cli import main
from lastword.errors import GraphError, SettingsError, UnknownGraph
from lastword.graphs_config import load_graph
from lastword.tools.check import Finding, Report, check_graphs
from lastword.tools.check.findings import can_be_said
from lastword.tools.check.report import KINDS, REMOVED
from lastword.tools.check.view import as_json, summary
from tests import PROJECT_ROOT
from tests.fakes.checked_graphs.expected import FOUND

SAMPLES = PROJECT_ROOT / "langgraph.json"


def project(folder: Path, *graphs: str, ignore: Sequence[str] | None = None) -> Path:
    """A ``langgraph.json`` with graphs of the fakes, under the name of their variable."""
    specs = {one.partition(":")[2]: f"tests.fakes.checked_graphs.{one}" for one in graphs}
    path = folder / "langgraph.json"
    path.write_text(json.dumps({"graphs": specs}, indent=2))
    if ignore is not None:
        toml = f"[tool.lastword.check]\nignore = {json.dumps(ignore)}\n"
        (folder / "pyproject.toml").write_text(toml)
    return path


def found(report: Report) -> list[tuple[str, str]]:
    return [(one.code, one.node or one.channel) for one in report.findings]


def only(report: Report) -> Finding:
    [finding] = report.findings
    return finding


@pytest.mark.parametrize("graph", FOUND)
def test_every_graph_has_its_findings_and_no_others(tmp_path: Path, graph: str) -> None:
    assert found(check_graphs(project(tmp_path, graph))) == FOUND[graph]


def test_the_sample_graphs_are_clean() -> None:
    report = check_graphs(SAMPLES)
    assert (report.findings, report.notes, report.silenced) == ((), (), 0)


@pytest.mark.parametrize(
    ("graph", "file", "line"),
    [
        ("ways:inside_goes_on", "ways.py", "inside_goes_on = inside_goes_on_builder.compile()"),
        ("ways:trapped", "ways.py", "async def checks(state: MessagesState)"),
        ("ways:undeclared", "ways.py", "async def jumps(state: MessagesState)"),
        ("ways:agent", "ways.py", 'agent_builder.add_node("agent", by_node)'),
        ("states:bad", "states.py", "lid: NotRequired[Cart.Lid | None]"),
    ],
)
def test_a_finding_is_where_it_says(tmp_path: Path, graph: str, file: str, line: str) -> None:
    place = check_graphs(project(tmp_path, graph)).findings[0].place
    assert place.file.name == file
    assert place.file.read_text().splitlines()[place.line - 1].strip().startswith(line)


def test_a_comment_that_silences_is_counted(tmp_path: Path) -> None:
    report = check_graphs(project(tmp_path, "silenced:by_comment"))
    assert (report.findings, report.silenced) == ((), 2)


def test_a_comment_that_matches_nothing_is_noted(tmp_path: Path) -> None:
    notes = check_graphs(project(tmp_path, "silenced:by_comment")).notes
    assert [one.partition(":")[2].partition(" ")[2] for one in notes] == [
        "ignores 'no-ending', which matches no finding"
    ]


@pytest.mark.parametrize("entry", ["unreachable-node", "lost:lost:unreachable-node"])
def test_an_entry_in_pyproject_silences_by_code_or_alone(tmp_path: Path, entry: str) -> None:
    report = check_graphs(project(tmp_path, "ways:lost", ignore=[entry]))
    assert (report.findings, report.notes, report.silenced) == ((), (), 1)


def test_an_entry_about_another_node_silences_nothing_and_is_noted(tmp_path: Path) -> None:
    config = project(tmp_path, "ways:lost", ignore=["lost:other:unreachable-node"])
    report = check_graphs(config)
    assert found(report) == [("unreachable-node", "lost")]
    [note] = report.notes
    assert note.endswith("ignores 'lost:other:unreachable-node', which matches no finding")


@pytest.mark.parametrize("entry", ["may-be-spoken", "by_node:talk:may-be-spoken"])
def test_a_code_that_is_no_longer_checked_is_noted_and_breaks_nothing(
    tmp_path: Path, entry: str
) -> None:
    report = check_graphs(project(tmp_path, "ways:by_node", ignore=[entry]))
    assert report.findings == ()
    [note] = report.notes
    assert note.endswith(f"which is no longer checked: {REMOVED['may-be-spoken']}")


def test_when_only_some_graphs_are_checked_entries_about_others_are_not_noted(
    tmp_path: Path,
) -> None:
    config = project(tmp_path, "ways:lost", "ways:by_node", ignore=["unreachable-node"])
    assert check_graphs(config, ["by_node"]).notes == ()


@pytest.mark.parametrize(
    "ignore", ['"undeclared-goto"', "[7]", "[", pytest.param("1" * 5000, id="5,000 digits")]
)
def test_a_list_of_ignored_findings_that_is_none_is_one_sentence(
    tmp_path: Path, ignore: str
) -> None:
    config = project(tmp_path, "ways:by_node")
    (tmp_path / "pyproject.toml").write_text(f"[tool.lastword.check]\nignore = {ignore}\n")
    with pytest.raises(SettingsError, match=r"pyproject\.toml.*(list of strings|not TOML)"):
        check_graphs(config)


def test_a_graph_that_does_not_load_is_found_and_the_others_are_checked(tmp_path: Path) -> None:
    config = project(tmp_path, "ways:by_node", "missing:gone", "ways:lost")
    report = check_graphs(config)
    assert found(report) == [("does-not-load", ""), ("unreachable-node", "lost")]
    broken = report.findings[0]
    assert "ModuleNotFoundError" in broken.what
    assert config.read_text().splitlines()[broken.place.line - 1].strip().startswith('"gone"')


def test_only_the_named_graphs_are_checked(tmp_path: Path) -> None:
    config = project(tmp_path, "ways:by_node", "ways:lost")
    assert check_graphs(config, ["by_node"]).graphs == ("by_node",)


def test_an_unknown_graph_and_a_missing_config_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UnknownGraph, match="'survye'"):
        check_graphs(project(tmp_path, "ways:by_node"), ["survye"])
    with pytest.raises(GraphError, match="there is no"):
        check_graphs(tmp_path / "nowhere.json")


def test_a_graph_that_is_no_state_graph_is_noted(tmp_path: Path) -> None:
    report = check_graphs(project(tmp_path, "ways:functional"))
    assert report.findings == ()
    assert report.notes == ("functional: the graph cannot be read, so it is not checked",)


@pytest.mark.parametrize("graph", ["ways:by_node", "ways:inside_a_function"])
async def test_the_graphs_of_these_tests_raise_when_they_are_run(
    tmp_path: Path, graph: str
) -> None:
    loaded = load_graph(graph.partition(":")[2], project(tmp_path, graph)).graph
    with pytest.raises(AssertionError, match="was run"):
        await loaded.ainvoke({"messages": []})


@pytest.mark.parametrize(
    ("token", "sayable"),
    [("end", True), ("bye bye", True), ("ENDCALL", False), ("<end>", False), ("end_call", False)],
)
def test_a_token_with_a_mark_in_it_or_in_capitals_is_not_said(token: str, sayable: bool) -> None:
    assert can_be_said(token) is sayable


def test_json_has_all_that_a_machine_wants(tmp_path: Path) -> None:
    content = json.loads(as_json(check_graphs(project(tmp_path, "ways:goes_on"))))
    [finding] = content.pop("findings")
    assert content == {"graphs": ["goes_on"], "nodes": 2, "notes": [], "silenced": 0}
    assert finding["line"] > 1
    assert finding == {
        "code": "end-node-goes-on",
        "graph": "goes_on",
        "node": "end",
        "channel": None,
        "file": "tests/fakes/checked_graphs/ways.py",
        "line": finding["line"],
        "what": "is the end node, but goes on to `talk`",
        "why": KINDS["end-node-goes-on"].why,
        "mend": KINDS["end-node-goes-on"].mend,
        "ignore": "goes_on:end:end-node-goes-on",
    }


def test_every_kind_of_finding_is_in_the_docs_and_shown_by_a_test() -> None:
    page = (PROJECT_ROOT / "docs" / "check.md").read_text()
    assert [code for code in KINDS if f"`{code}`" not in page] == []
    shown = {code for findings in FOUND.values() for code, _ in findings} | {"does-not-load"}
    assert shown == set(KINDS)


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (Report(("a", "b", "c"), 12), "3 graphs, 12 nodes, no findings."),
        (Report(("a",), 1, silenced=2), "1 graph, 1 node, no findings, 2 silenced."),
    ],
)
def test_the_last_line_sums_up(report: Report, line: str) -> None:
    assert summary(report) == line


def lastword(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["lastword", "check", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    out, err = capsys.readouterr()
    return int(exit_.value.code or 0), out, err


def test_the_command_shows_findings_and_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = project(tmp_path, "ways:by_node", "ways:goes_on")
    code, out, _ = lastword(monkeypatch, capsys, "--config", str(config))
    lines = out.splitlines()
    assert code == 1
    assert lines[0] == "goes_on"
    assert lines[1].startswith("tests/fakes/checked_graphs/ways.py:")
    assert lines[1].endswith(": end-node-goes-on: end: is the end node, but goes on to `talk`")
    assert lines[2] == f"    {KINDS['end-node-goes-on'].why}"
    assert lines[-1] == "2 graphs, 4 nodes, 1 finding."


def test_the_command_exits_with_0_when_there_is_nothing_to_mend(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = lastword(monkeypatch, capsys, "survey", "--config", str(SAMPLES))
    assert (code, out) == (0, "1 graph, 7 nodes, no findings.\n")


def test_the_command_writes_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = project(tmp_path, "ways:lost")
    code, out, _ = lastword(monkeypatch, capsys, "--config", str(config), "--format", "json")
    assert code == 1
    assert json.loads(out)["findings"][0]["code"] == "unreachable-node"


def test_wrong_use_of_the_command_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = lastword(monkeypatch, capsys, "survye", "--config", str(SAMPLES))
    assert code == 1
    assert err.startswith("lastword: there is no graph 'survye' in langgraph.json; it has")
