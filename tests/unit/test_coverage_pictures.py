"""How coverage is drawn."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from langgraph.graph import END, START, StateGraph

from lastword.graphs_config import load_all
from lastword.testing.coverage import Coverage, Taken, shape_of, write_reports
from lastword.testing.coverage.layout import layout
from tests.fakes import way_graphs
from tests.fakes.half_covered import NODE, covered, to_left
from tests.fakes.hostile import ALL, HOSTILE, steers
from tests.fakes.way_graphs import Graph

SVG = "{http://www.w3.org/2000/svg}"
SAMPLES = load_all(Path(__file__).parents[2] / "langgraph.json")


def test_mermaid_draws_the_untested_dashed_and_counts_the_rest() -> None:
    lines = to_left(declared=("done", "lost"), seen={NODE: 1}).mermaid().splitlines()
    assert [line.strip() for line in lines] == [
        "flowchart LR",
        'n0["left<br/>2x"]:::taken',
        'n1["right"]:::untested',
        'n2(["__start__"]):::mark',
        'n3(["__end__"]):::mark',
        'n2 -->|"2x"| n0',
        "n2 --> n1",
        'n0 -->|"2x"| n3',
        "n1 --> n3",
        'subgraph endings["endings"]',
        "direction LR",
        'e0(["done<br/>1x"]):::taken',
        'e1(["lost"]):::untested',
        "end",
        "linkStyle 1,3 stroke:#c62828,stroke-width:1.5px,stroke-dasharray:5 4",
        "classDef taken fill:#eef6ee,stroke:#3b7a3b,color:#1c2b1c",
        "classDef untested fill:#fff1f0,stroke:#c62828,color:#8e1c1c,stroke-dasharray:5 4",
        "classDef mark fill:#eeeeee,stroke:#777777,color:#333333",
    ]


def test_mermaid_text_says_how_an_edge_is_chosen_and_keeps_quotes_apart() -> None:
    text = covered(way_graphs.mapped_router(), {("ask", "excuse"): 1}).mermaid()
    assert '-->|"bad / awful · 1x"|' in text
    assert (
        '"event: #lt;a#gt; #quot;b#quot;<br/>1x"'
        in to_left(seen={("event", '<a> "b"'): 1}).mermaid()
    )


def texts(picture: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in picture.iter(f"{SVG}text")]


def paths(picture: ElementTree.Element) -> dict[str, str]:
    """What an edge says when it is pointed at → its classes."""
    titled = {each.find(f"{SVG}title"): each for each in picture.iter(f"{SVG}path")}
    return {
        title.text or "": each.get("class", "")
        for title, each in titled.items()
        if title is not None
    }


@pytest.mark.parametrize("name", SAMPLES)
def test_the_svg_of_a_sample_graph_shows_every_node_and_edge(name: str) -> None:
    shape = shape_of(name, SAMPLES[name].graph, SAMPLES[name].policy)  # type: ignore[arg-type]
    picture = ElementTree.fromstring(Coverage(shape, Taken()).svg())  # noqa: S314 - our own
    assert set(shape.nodes) <= set(texts(picture))
    assert set(paths(picture)) == {f"{edge}: not taken" for edge in shape.edges}


def test_the_svg_marks_what_was_not_taken() -> None:
    half = to_left(declared=("done", "lost"), seen={NODE: 1})
    picture = ElementTree.fromstring(half.svg())  # noqa: S314
    assert paths(picture) == {
        "__start__ -> left: 2": "edge",
        "left -> __end__: 2": "edge",
        "__start__ -> right: not taken": "edge untested",
        "right -> __end__: not taken": "edge untested",
    }
    boxes = [each.get("class") for each in picture.iter(f"{SVG}rect") if each.get("class")]
    assert boxes == ["node", "node untested", "node", "node untested"]
    assert {"2x", "not run", "done 1x", "lost"} <= set(texts(picture))


def test_the_svg_marks_a_way_that_nothing_declares() -> None:
    coverage = covered(way_graphs.undeclared_router(), {("ask", "left"): 1})
    picture = ElementTree.fromstring(coverage.svg())  # noqa: S314
    assert paths(picture)["ask -> left: 1"] == "edge undeclared"


@pytest.mark.parametrize(
    "make",
    [way_graphs.subgraph, way_graphs.join, way_graphs.commands, way_graphs.agent],
)
def test_any_graph_can_be_drawn(make: Callable[[], Graph]) -> None:
    coverage = covered(make(), name='<odd> & "name"')
    picture = ElementTree.fromstring(coverage.svg())  # noqa: S314
    assert {'<odd> & "name"', *coverage.shape.nodes} <= set(texts(picture))


LINKS = [
    [("a", "b"), ("b", "c"), ("a", "c")],
    [("a", "b"), ("b", "a"), ("b", "b")],
    [("a", "e"), ("e", "d"), ("a", "b"), ("b", "c"), ("c", "d")],
    [("a", "b"), ("a", "c"), ("a", "d"), ("b", "e"), ("c", "e"), ("d", "b"), ("e", "a")],
]


@pytest.mark.parametrize("links", LINKS)
def test_nodes_do_not_touch_and_follow_their_sources(links: list[tuple[str, str]]) -> None:
    names = sorted({name for link in links for name in link})
    plain = [link for link in links if link[0] != link[1]]
    placed = layout(dict.fromkeys(names, (60.0, 40.0)), plain)
    for one, other in combinations(names, 2):
        (x1, y1), (x2, y2) = placed.places[one], placed.places[other]
        assert abs(x1 - x2) > 60 or abs(y1 - y2) > 40
    for source, target in plain:
        forward = placed.places[source][0] < placed.places[target][0]
        assert forward == ((source, target) not in placed.back)
    assert all(
        0 <= x <= placed.width and 0 <= y <= placed.height for x, y in placed.places.values()
    )


BREAKS_OUT = {
    **HOSTILE,
    "quotes": """it's "so" `now`""",
    "tags": "</text></svg><script>alert(1)</script>]]>",
    "shapes": 'x"]:::taken;n9["y',
    "directive": '%%{init: {"theme": "dark"}}%%',
    "comment": "%% gone",
    "end": "\nend\n",
    "code": "#quot; &quot; #9829; $$x$$",
    "click": '"\nclick n0 href "javascript:alert(1)"',
    "break": "one\\ntwo",
    "signs": "你好 é 👋🏽",
}
_LABEL = r'"[^"`%{}\[\]\\\n$;]*"'
_CODES = re.compile(r"#(?:quot|amp|lt|gt|\d+);")
_MERMAID = re.compile(
    rf"n\d+\[{_LABEL}\]:::(taken|untested)|n\d+\(\[{_LABEL}\]\):::mark|"
    rf"n\d+ -->(\|{_LABEL}\|)? n\d+|subgraph endings\[\"endings\"\]|direction LR|"
    rf"e\d+\(\[{_LABEL}\]\):::(taken|untested)|end|flowchart LR|(linkStyle|classDef) .*"
)


def named(words: str) -> Coverage:
    """Nodes, an edge's label, endings and the graph itself are named by strangers."""
    node = words.replace("|", "/").replace(":", "-")  # LangGraph keeps these two for itself
    made: StateGraph[way_graphs.Trail] = StateGraph(way_graphs.Trail)
    made.add_node(node, lambda _: {})
    made.add_node(f"{node} 2", lambda _: {})
    made.add_edge(START, node)
    made.add_conditional_edges(node, lambda _: words, {words: f"{node} 2", "other": END})
    ways = {(START, node): 1, (node, f"{node} 2"): 2}
    seen = {("node", words): 1, (words, words): 2}
    return covered(made.compile(), ways, name=words, seen=seen, declared=(words, f"{words}2"))


@pytest.mark.parametrize("words", [*BREAKS_OUT.values(), ALL], ids=[*BREAKS_OUT, "all"])
def test_no_name_breaks_out_of_its_label_in_mermaid(words: str) -> None:
    text, plain = named(words).mermaid(), named("plain").mermaid()
    assert steers(text) == []
    assert len(text.splitlines()) == len(plain.splitlines())
    for line in text.splitlines():
        assert _MERMAID.fullmatch(_CODES.sub("", line.strip())), line


@pytest.mark.parametrize("words", [*BREAKS_OUT.values(), ALL], ids=[*BREAKS_OUT, "all"])
def test_any_name_can_be_drawn_as_svg(words: str) -> None:
    text = named(words).svg()
    assert steers(text) == []
    picture = ElementTree.fromstring(text.encode())  # noqa: S314 - our own
    plain = ElementTree.fromstring(named("plain").svg())  # noqa: S314 - our own
    assert [one.tag for one in picture.iter()] == [one.tag for one in plain.iter()]


class _Tags(HTMLParser):
    """The tags of a page, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)


@pytest.mark.parametrize(
    "words", [*BREAKS_OUT.values(), ALL, "../up"], ids=[*BREAKS_OUT, "all", "up"]
)
def test_any_name_can_be_written_as_a_page(words: str, tmp_path: Path) -> None:
    tags = []
    for name in (words, "plain"):
        write_reports(tmp_path / "pages", [named(name)])
        page = (tmp_path / "pages" / "index.html").read_text(encoding="utf-8")
        assert steers(page) == []
        found = _Tags()
        found.feed(page)
        tags.append(found.seen)
    assert tags[0] == tags[1]
    assert [one.name for one in tmp_path.iterdir()] == ["pages"]
    assert all(one.name.isprintable() for one in (tmp_path / "pages").iterdir())


def test_a_node_named_as_a_place_to_pass_through_is_a_node_of_its_own() -> None:
    links = [("a", "b"), ("b", "c"), ("a", "c"), ("a", "a\nc\n1")]
    names = sorted({name for link in links for name in link})
    placed = layout(dict.fromkeys(names, (60.0, 40.0)), links)
    assert set(placed.places) == set(names)
    assert len(set(placed.places.values())) == len(names)
    assert placed.bends["a", "c"]
