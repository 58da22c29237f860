"""How coverage is drawn as Mermaid and written as a Markdown page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from langgraph.graph import END, START, StateGraph
from markdown_it import MarkdownIt

from lastword.graphs_config import load_all
from lastword.testing.coverage import Coverage, Taken, mermaid, shape_of, write_reports
from tests.fakes import way_graphs
from tests.fakes.half_covered import NODE, covered, to_left
from tests.fakes.hostile import ALL, HOSTILE, steers
from tests.fakes.way_graphs import Graph

SAMPLES = load_all(Path(__file__).parents[2] / "langgraph.json")


def test_mermaid_draws_the_untested_dashed_and_counts_the_rest() -> None:
    lines = mermaid(to_left(declared=("done", "lost"), seen={NODE: 1})).splitlines()
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
    text = mermaid(covered(way_graphs.mapped_router(), {("ask", "excuse"): 1}))
    assert '-->|"bad / awful · 1x"|' in text
    named_oddly = to_left(seen={("event", '<a> "b"'): 1})
    assert '"event: #lt;a#gt; #quot;b#quot;<br/>1x"' in mermaid(named_oddly)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_node_and_edge_of_a_sample_graph_is_drawn(name: str) -> None:
    shape = shape_of(name, SAMPLES[name].graph, SAMPLES[name].policy)  # type: ignore[arg-type]
    text = mermaid(Coverage(shape, Taken()))
    assert {f'"{node}"' for node in shape.nodes} <= set(re.findall(r'"\w+"', text))
    assert text.count(" -->") == len(shape.edges)


@pytest.mark.parametrize(
    "make",
    [way_graphs.subgraph, way_graphs.join, way_graphs.commands, way_graphs.agent],
)
def test_any_graph_can_be_drawn(make: Callable[[], Graph]) -> None:
    coverage = covered(make())
    assert mermaid(coverage).count(" -->") == len(coverage.shape.edges)


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
    text, plain = mermaid(named(words)), mermaid(named("plain"))
    assert steers(text) == []
    assert len(text.splitlines()) == len(plain.splitlines())
    for line in text.splitlines():
        assert _MERMAID.fullmatch(_CODES.sub("", line.strip())), line


def kinds(page: str) -> list[str]:
    """The kinds of the parts of a Markdown page, in their order."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page)
    return [part.type for token in tokens for part in (token, *(token.children or ()))]


@pytest.mark.parametrize("words", [*BREAKS_OUT.values(), ALL], ids=[*BREAKS_OUT, "all"])
def test_no_name_breaks_out_of_its_place_on_the_page(words: str, tmp_path: Path) -> None:
    pages = []
    for name in (words, "plain"):
        write_reports(tmp_path, [named(name)])
        pages.append((tmp_path / "coverage.md").read_text(encoding="utf-8"))
    assert steers(pages[0]) == []
    assert kinds(pages[0]) == kinds(pages[1])


def test_the_fences_of_the_page_hold_a_graph_and_what_is_missing(tmp_path: Path) -> None:
    write_reports(tmp_path, [named("```")])
    page = (tmp_path / "coverage.md").read_text(encoding="utf-8")
    fences = [token for token in MarkdownIt().parse(page) if token.type == "fence"]
    assert [fence.info for fence in fences] == ["mermaid", "text"]
    assert fences[0].content == mermaid(named("```"))
    assert "  nodes not run: ```, ``` 2\n" in fences[1].content
