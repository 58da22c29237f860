"""How much was taken, and how it is told."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import pytest

from lastword.graphs_config import load_all
from lastword.signals import CallPolicy
from lastword.terminal import SafeConsole
from lastword.testing.coverage import (
    Coverage,
    EndingCount,
    Taken,
    coverage_table,
    mermaid,
    shape_of,
    write_reports,
)
from tests.fakes import way_graphs
from tests.fakes.half_covered import NODE, covered, to_left

SAMPLES = load_all(Path(__file__).parents[2] / "langgraph.json")


def shown(*coverages: Coverage, width: int = 100) -> str:
    console = SafeConsole(file=io.StringIO(), width=width)
    console.print(coverage_table(coverages))
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]


def test_an_edge_that_was_not_taken_is_named() -> None:
    half = to_left()
    assert [*map(str, half.missing_edges)] == ["__start__ -> right", "right -> __end__"]
    assert half.missing_nodes == ["right"]
    assert (half.nodes_percent, half.edges_percent) == (50.0, 50.0)


def test_what_is_taken_later_counts_too() -> None:
    half = to_left()
    assert half.edges_percent == 50.0
    half.taken.merge(Taken(edges=Counter({("__start__", "right"): 1})))
    half.taken.merge(Taken(edges=Counter({("left", "right"): 1})))
    assert [*map(str, half.missing_edges)] == ["right -> __end__"]
    assert len(half.edges) == 5


def test_a_graph_that_never_ran_has_no_percent() -> None:
    nothing = covered(way_graphs.declared_router())
    assert (nothing.nodes_percent, nothing.edges_percent) == (0.0, 0.0)


def test_an_edge_that_nothing_declares_counts_once_it_is_taken() -> None:
    coverage = covered(way_graphs.undeclared_router(), {("ask", "left"): 1})
    assert len(coverage.edges) == 4
    assert [str(edge) for edge in coverage.edges if not edge.declared] == ["ask -> left"]
    assert coverage.edges_percent == 25.0


def test_the_implied_end_of_a_node_that_goes_on_elsewhere_does_not_count() -> None:
    elsewhere = covered(way_graphs.commands(), {("stray", "left"): 1})
    assert "stray -> __end__" not in map(str, elsewhere.edges)
    assert "stray -> __end__" in map(str, covered(way_graphs.commands()).edges)


ENDINGS = [
    # declared, seen, policy, what comes of it, percent
    (("done", "lost"), {NODE: 2}, CallPolicy(), {"done": 2, "lost": 0}, 50.0),
    (("done",), {NODE: 1, ("event", "done"): 1}, CallPolicy(), {"done": 2}, 100.0),
    (("done",), {("event", "else"): 1}, CallPolicy(), {"done": 0, "event: else": 1}, 0.0),
    ((), {}, CallPolicy(end_node="left"), {"node:left": 0}, 0.0),
    ((), {NODE: 3}, CallPolicy(end_node="left"), {"node: done": 3}, 100.0),
    (
        (),
        {("event", "done"): 1},
        CallPolicy(end_node="left"),
        {"node:left": 0, "event: done": 1},
        50.0,
    ),
    ((), {}, CallPolicy(), {"token": 0}, 0.0),
    ((), {("event", "done"): 1}, CallPolicy(), {"event: done": 1}, 100.0),
    ((), {}, CallPolicy(end_node=None, end_token=None), {}, 100.0),
]


@pytest.mark.parametrize(("declared", "seen", "policy", "expected", "percent"), ENDINGS)
def test_endings_are_held_against_what_is_declared_or_else_known(
    declared: tuple[str, ...],
    seen: dict[tuple[str, str], int],
    policy: CallPolicy,
    expected: dict[str, int],
    percent: float,
) -> None:
    coverage = to_left(declared=declared, seen=seen, policy=policy)
    assert {each.name: each.count for each in coverage.endings} == expected
    assert coverage.endings_percent == percent


def test_an_ending_that_was_seen_and_not_declared_is_named() -> None:
    coverage = to_left(declared=("done",), seen={("event", "else"): 1})
    assert coverage.missing_endings == ["done"]
    assert coverage.undeclared_endings == ["event: else"]
    assert EndingCount("event: else", 1, declared=False) in coverage.endings


def test_a_graph_under_the_wanted_percent_gets_a_sentence() -> None:
    half = to_left()
    assert half.under(50) == []
    assert half.under(50.1) == [
        "small: 50 % of the edges were taken, 50.1 % are required; "
        "not taken: __start__ -> right, right -> __end__"
    ]


def test_a_hundred_percent_is_never_said_of_less() -> None:
    shape = shape_of("appointment", SAMPLES["appointment"].graph, CallPolicy())  # type: ignore[arg-type]
    taken = Taken(edges=Counter(edge.key for edge in shape.edges[1:]))
    assert "41/42  97 %" in shown(Coverage(shape, taken))


def test_the_table_has_a_line_for_each_graph_and_what_is_missing_below() -> None:
    open_router = covered(way_graphs.undeclared_router(), name="open")
    half = to_left(declared=("done", "lost"), seen={NODE: 1, ("event", "else"): 1})
    assert shown(half, open_router).splitlines() == [
        "graph coverage",
        "graph      nodes      edges    endings",
        "small  1/2  50 %  2/4  50 %  1/2  50 %",
        "open   0/3   0 %  0/3   0 %  0/1   0 %",
        "",
        "small",
        "  nodes not run: right",
        "  edges not taken:",
        "    __start__ -> right",
        "    right -> __end__",
        "  endings not seen: lost",
        "  endings not declared: event: else",
        "",
        "open",
        "  nodes not run: ask, left, right",
        "  edges not taken:",
        "    __start__ -> ask",
        "    left, right -> __end__",
        "  endings not seen: token",
        "  the router of ask declares no targets; only the edges that were taken are counted",
    ]


def test_a_long_line_of_the_table_goes_on_under_its_beginning() -> None:
    lines = shown(to_left(declared=("a_long_reason", "another_reason")), width=40).splitlines()
    assert lines[-2:] == ["  endings not seen: a_long_reason,", "  another_reason"]


def test_the_reports_are_one_page_and_one_json_file(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "coverage"
    graphs = [to_left(), covered(way_graphs.join(), name="../join")]
    write_reports(folder, graphs)
    assert {path.name for path in folder.iterdir()} == {"coverage.md", "coverage.json"}
    page = (folder / "coverage.md").read_text()
    assert "| small | 1/2  50 % | 2/4  50 % | 0/1   0 % |" in page.splitlines()
    assert "    __start__ -> right" in page.splitlines()
    assert all(f"```mermaid\n{mermaid(each)}```" in page for each in graphs)


def test_a_graph_of_which_all_was_taken_says_so(tmp_path: Path) -> None:
    half = to_left(declared=())
    half.taken.merge(Taken(Counter(half.shape.nodes), Counter(edge.key for edge in half.edges)))
    half.taken.add_ending("token", "completed")
    write_reports(tmp_path, [half])
    assert "Everything was taken." in (tmp_path / "coverage.md").read_text()


def test_the_json_has_the_counts_and_the_percentages(tmp_path: Path) -> None:
    write_reports(tmp_path, [to_left(declared=("done",), seen={NODE: 1})])
    [data] = json.loads((tmp_path / "coverage.json").read_text())["graphs"]
    assert data["percent"] == {"nodes": 50.0, "edges": 50.0, "endings": 100.0}
    assert data["nodes"] == {"left": 2, "right": 0}
    assert data["edges"][1] == {
        "source": "__start__",
        "target": "right",
        "label": "",
        "conditional": True,
        "declared": True,
        "count": 0,
    }
    assert data["endings"] == [{"ending": "done", "declared": True, "count": 1}]
