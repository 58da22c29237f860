"""What there is to be taken in a graph, read from what the graph was built of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from langgraph.func import entrypoint
from langgraph.graph import START

from lastword.errors import DeclarationError, UnknownGraph
from lastword.graphs_config import load_all
from lastword.signals import CallPolicy
from lastword.testing.coverage import Edge, GraphShape, declared_endings, shape_of
from tests.fakes import way_graphs
from tests.fakes.way_graphs import Graph

PROJECT_ROOT = Path(__file__).parents[2]
SAMPLES = load_all(PROJECT_ROOT / "langgraph.json")

EDGES: list[tuple[Callable[[], Graph], list[str]]] = [
    (
        way_graphs.declared_router,
        [
            "__start__ ? left",
            "__start__ ? right",
            "left -> __end__",
            "right -> __end__",
        ],
    ),
    (
        way_graphs.mapped_router,
        [
            "__start__ -> ask",
            "ask ? praise [good]",
            "ask ? excuse [bad / awful]",
            "ask ? __end__ [none]",
            "praise -> __end__ implied",
            "excuse -> __end__ implied",
        ],
    ),
    (
        way_graphs.undeclared_router,
        ["__start__ -> ask", "left -> __end__", "right -> __end__"],
    ),
    (
        way_graphs.fan_out,
        ["__start__ -> plan", "plan ? work", "work -> sum", "sum -> __end__ implied"],
    ),
    (
        way_graphs.join,
        [
            "__start__ -> short",
            "__start__ -> long",
            "short -> both",
            "long -> longer",
            "longer -> both",
            "both -> __end__ implied",
        ],
    ),
    (
        way_graphs.commands,
        [
            "__start__ -> decide",
            "left -> __end__ implied",
            "decide ? left",
            "decide ? stray",
            "decide ? __end__",
            "stray -> __end__ implied",
        ],
    ),
    (
        way_graphs.subgraph,
        [
            "__start__ -> outer",
            "after -> __end__ implied",
            "outer -> after",
            "outer:__start__ -> outer:first",
            "outer:first ? outer:second",
            "outer:first ? outer:never",
            "outer:second -> outer:__end__ implied",
            "outer:never -> outer:__end__ implied",
        ],
    ),
    (
        way_graphs.handled,
        [
            "__start__ -> broken",
            "__error_handler__broken -> __end__ implied",
            "repair -> __end__ implied",
            "broken ? __error_handler__broken [fails]",
            "broken -> __end__ implied",
        ],
    ),
    (
        way_graphs.agent,
        ["__start__ -> model", "model ? tools", "model ? __end__", "tools ? model"],
    ),
]


def shape(graph: Graph, policy: CallPolicy | None = None) -> GraphShape:
    return shape_of("small", graph, policy or CallPolicy())


def written(edge: Edge) -> str:
    label = f" [{edge.label}]" if edge.label else ""
    arrow = "?" if edge.conditional else "->"
    return f"{edge.source} {arrow} {edge.target}{label}{' implied' if edge.implied else ''}"


@pytest.mark.parametrize(("make", "edges"), EDGES)
def test_the_edges_are_those_that_the_code_declares(
    make: Callable[[], Graph], edges: list[str]
) -> None:
    assert sorted(map(written, shape(make()).edges)) == sorted(edges)


def test_edges_come_in_the_order_of_the_nodes() -> None:
    edges = shape(way_graphs.commands()).edges
    assert [edge.source for edge in edges] == [START, "left", "decide", "decide", "decide", "stray"]


def test_a_router_without_declared_targets_is_named() -> None:
    assert shape(way_graphs.undeclared_router()).undeclared == ("ask",)
    assert shape(way_graphs.declared_router()).undeclared == ()


def test_nodes_of_a_subgraph_carry_the_name_of_the_node_that_holds_it() -> None:
    nodes = shape(way_graphs.subgraph()).nodes
    assert set(nodes) == {"after", "outer", "outer:first", "outer:second", "outer:never"}


@pytest.mark.parametrize(
    ("policy", "ways"),
    [
        (CallPolicy(end_node="left"), ("node:left", "token")),
        (CallPolicy(end_node="left", end_token=None), ("node:left",)),
        (CallPolicy(), ("token",)),
        (CallPolicy(end_node=None, end_token=None), ()),
    ],
)
def test_the_end_node_counts_if_the_graph_has_it_and_the_token_if_it_is_set(
    policy: CallPolicy, ways: tuple[str, ...]
) -> None:
    assert shape(way_graphs.declared_router(), policy).ways_to_end == ways


def test_an_end_node_in_a_subgraph_counts() -> None:
    policy = CallPolicy(end_node="second", end_token=None)
    assert shape(way_graphs.subgraph(), policy).ways_to_end == ("node:second",)


def test_a_graph_of_the_functional_api_is_read_from_its_drawing() -> None:
    @entrypoint()
    async def talk(words: str) -> str:
        return words

    assert shape_of("functional", talk, CallPolicy()).nodes == ("talk",)


@pytest.mark.parametrize("name", SAMPLES)
def test_langgraph_draws_the_sample_graphs_as_they_are_built(name: str) -> None:
    """A router whose type LangGraph does not read leaves Studio's picture without edges."""
    sample = SAMPLES[name]
    drawn = {(edge.source, edge.target) for edge in sample.graph.get_graph().edges}
    built = shape_of(name, sample.graph, sample.policy)  # type: ignore[arg-type]
    assert drawn == {edge.key for edge in built.edges}
    assert built.undeclared == ()


@pytest.mark.parametrize(
    ("name", "nodes", "edges", "ways"),
    [
        ("appointment", 21, 42, ("node:end",)),
        ("reception", 6, 13, ()),
        ("survey", 7, 14, ("token",)),
    ],
)
def test_the_sample_graphs_have_their_shapes(
    name: str, nodes: int, edges: int, ways: tuple[str, ...]
) -> None:
    sample = SAMPLES[name]
    built = shape_of(name, sample.graph, sample.policy)  # type: ignore[arg-type]
    assert (len(built.nodes), len(built.edges), built.ways_to_end) == (nodes, edges, ways)


def test_the_sample_graphs_declare_their_endings() -> None:
    declared = declared_endings(PROJECT_ROOT / "langgraph.json")
    assert {name: set(reasons) for name, reasons in declared.items()} == {
        "appointment": {
            "confirmed",
            "rescheduled",
            "cancelled",
            "wrong_person",
            "not_understood",
            "no_appointment",
            "voicemail",
        },
        "reception": {"completed", "not_understood", "voicemail"},
        "survey": {"completed", "stopped", "declined", "voicemail"},
    }


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "langgraph.json").write_text('{"graphs": {"booking": "booking:graph"}}')
    return tmp_path / "langgraph.json"


@pytest.mark.parametrize("content", [None, "", "[tool.lastword]\n", "[tool]\nlastword = 3\n"])
def test_nothing_is_declared_where_nothing_is_said(config: Path, content: str | None) -> None:
    if content is not None:
        config.with_name("pyproject.toml").write_text(content)
    assert declared_endings(config) == {}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[tool", "pyproject.toml is not TOML"),
        ("a = " + "[" * 50_000, "pyproject.toml is nested too deeply"),
        ("[tool.lastword.coverage]\nendings = 3", "must give .* the form"),
        ('[tool.lastword.coverage]\nendings = {booking = "booked"}', "must give .* the form"),
        ("[tool.lastword.coverage]\nendings = {booking = [1]}", "must give .* the form"),
    ],
)
def test_a_declaration_of_another_form_is_refused(
    config: Path, content: str, complaint: str
) -> None:
    config.with_name("pyproject.toml").write_text(content)
    with pytest.raises(DeclarationError, match=complaint):
        declared_endings(config)


def test_a_declaration_for_a_graph_that_is_not_there_is_refused(config: Path) -> None:
    content = '[tool.lastword.coverage]\nendings = {bocking = ["booked"]}'
    config.with_name("pyproject.toml").write_text(content)
    with pytest.raises(UnknownGraph, match="bocking"):
        declared_endings(config)
