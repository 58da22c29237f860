"""The shape of a graph: the nodes, edges and endings that coverage counts."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from langgraph.graph import END, START
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel import Pregel

from lastword.errors import DeclarationError
from lastword.graphs_config import check_graph, graph_specs
from lastword.project import lastword_table, project_file
from lastword.signals import CallPolicy
from lastword.untrusted.bounded_input import BadInput


@dataclass(frozen=True)
class Edge:
    """An edge of the graph.

    ``implied``: the node has no outgoing edge in the code, so the graph ends after it.
    ``declared``: False for an edge that was taken although the code does not declare it.
    """

    source: str
    target: str
    conditional: bool = False
    label: str = ""
    implied: bool = False
    declared: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """Source and target; unique within a graph."""
        return self.source, self.target

    def __str__(self) -> str:
        """The edge as text: ``book -> pick``."""
        return f"{self.source} -> {self.target}"


@dataclass(frozen=True)
class Router:
    """A function that chooses the next node after ``node``.

    ``targets``: return value → node; None when the router declares no targets.
    """

    node: str
    name: str
    targets: Mapping[Hashable, str] | None


@dataclass(frozen=True)
class Join:
    """``target`` runs after all ``sources`` have run."""

    sources: tuple[str, ...]
    target: str


@dataclass(frozen=True)
class GraphShape:
    """The nodes, edges and endings of one graph.

    Nodes of a subgraph are named ``outer:inner``, and so are its start and end
    (``outer:__start__``); the node that contains a subgraph is a node too. ``edges`` are those
    that the code declares: with ``add_edge``, by routers that return ``Literal[...]`` or have a
    path map, and by nodes that return ``Command[Literal[...]]``. A router that declares no
    targets could go to any node: its edges count once they are taken, and ``undeclared`` names
    its node.

    ``endings``: reasons that the project declares. ``ways_to_end``: endings that are known without
    declared reasons: ``node:<name>`` when the graph has the policy's end node, ``token`` when the
    policy has an end token. Endings by signal or tool, and reasons, are known only at run time.
    """

    name: str
    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]
    endings: tuple[str, ...] = ()
    ways_to_end: tuple[str, ...] = ()
    routers: tuple[Router, ...] = ()
    joins: tuple[Join, ...] = ()
    deferred: frozenset[str] = frozenset()

    @property
    def undeclared(self) -> tuple[str, ...]:
        """Nodes whose router declares no targets."""
        return tuple(router.node for router in self.routers if router.targets is None)

    @cached_property
    def fixed(self) -> Mapping[str, tuple[str, ...]]:
        """Node → targets of its unconditional edges, without joins."""
        ways: dict[str, tuple[str, ...]] = {}
        joined = {(source, join.target) for join in self.joins for source in join.sources}
        for edge in self.edges:
            if not edge.conditional and edge.key not in joined:
                ways[edge.source] = (*ways.get(edge.source, ()), edge.target)
        return ways


def shape_of(
    name: str, graph: Pregel[Any, Any, Any, Any], policy: CallPolicy, endings: Sequence[str] = ()
) -> GraphShape:
    """Read the shape of a compiled graph; ``endings`` are its declared reasons.

    The edges are read from the graph's builder. LangGraph's ``get_graph()`` omits every node after
    a router that declares no targets (seen with 1.2: the whole graph, if that router is the
    first), so it is used only for graphs of the functional API, which have no builder.
    """
    parts = list(_parts(graph, "", ()))
    nodes = tuple(node for part in parts for node in part.nodes)
    end_node = policy.end_node
    has_end = any(node.rpartition(":")[2] == end_node for node in nodes)
    ways = [f"node:{end_node}"] if has_end else []
    if policy.end_token is not None:
        ways.append("token")
    return GraphShape(
        name=name,
        nodes=nodes,
        edges=tuple(edge for part in parts for edge in part.edges.values()),
        endings=tuple(endings),
        ways_to_end=tuple(ways),
        routers=tuple(router for part in parts for router in part.routers),
        joins=tuple(join for part in parts for join in part.joins),
        deferred=frozenset(node for part in parts for node in part.deferred),
    )


@dataclass
class _Part:
    """One graph or subgraph while it is read; all names in it start with ``prefix``."""

    prefix: str
    nodes: list[str] = field(default_factory=list)
    edges: dict[tuple[str, str], Edge] = field(default_factory=dict)
    routers: list[Router] = field(default_factory=list)
    joins: list[Join] = field(default_factory=list)
    deferred: list[str] = field(default_factory=list)

    def add(
        self,
        source: str,
        target: str,
        label: str = "",
        *,
        conditional: bool = False,
        implied: bool = False,
    ) -> None:
        """Add an edge; two edges between the same nodes become one with both labels."""
        edge = Edge(self.prefix + source, self.prefix + target, conditional, label, implied)
        known = self.edges.get(edge.key)
        if known is not None:
            labels = dict.fromkeys(filter(None, (*known.label.split(" / "), label)))
            both = conditional and known.conditional
            edge = Edge(edge.source, edge.target, both, " / ".join(labels))
        self.edges[edge.key] = edge


def _parts(
    graph: Pregel[Any, Any, Any, Any], prefix: str, inside: tuple[int, ...]
) -> Iterator[_Part]:
    """The graph, then its subgraphs; a graph that contains itself is read once."""
    if id(graph) in inside:
        return
    yield _built(graph, prefix) if isinstance(graph, CompiledStateGraph) else _drawn(graph, prefix)
    for name, subgraph in graph.get_subgraphs():
        if isinstance(subgraph, Pregel):
            yield from _parts(subgraph, f"{prefix}{name}:", (*inside, id(graph)))


def _built(graph: CompiledStateGraph[Any, Any, Any, Any], prefix: str) -> _Part:
    part, builder = _Part(prefix), graph.builder
    order = {name: at for at, name in enumerate((START, *builder.nodes, END))}
    for source, target in builder.edges:
        part.add(source, target)
    for sources, target in sorted(builder.waiting_edges):
        part.joins.append(Join(tuple(prefix + each for each in sources), prefix + target))
        for source in sources:
            part.add(source, target)
    for source, branches in builder.branches.items():
        for name, branch in branches.items():
            _add_router(part, source, name, branch.ends)
    for name, spec in builder.nodes.items():
        part.nodes.append(prefix + name)
        if spec.defer:
            part.deferred.append(prefix + name)
        if spec.error_handler_node is not None:
            part.add(name, spec.error_handler_node, "fails", conditional=True)
        ends = spec.ends or ()
        for target in ends:
            part.add(name, target, ends[target] if isinstance(ends, dict) else "", conditional=True)
    _close(part)
    by_source = sorted(part.edges.values(), key=lambda edge: _order(edge, prefix, order))
    part.edges = {edge.key: edge for edge in by_source}
    return part


def _order(edge: Edge, prefix: str, order: Mapping[str, int]) -> tuple[int, int]:
    return order[edge.source.removeprefix(prefix)], order[edge.target.removeprefix(prefix)]


def _add_router(part: _Part, source: str, name: str, ends: Mapping[Hashable, str] | None) -> None:
    targets = None
    if ends is not None:
        targets = {returned: part.prefix + target for returned, target in ends.items()}
        for returned, target in ends.items():
            part.add(source, target, "" if returned == target else str(returned), conditional=True)
    part.routers.append(Router(part.prefix + source, name, targets))


def _close(part: _Part) -> None:
    """Add an implied edge to the end for each node without outgoing edges."""
    leaves = {edge.source for edge in part.edges.values() if edge.label != "fails"}
    leaves |= {router.node for router in part.routers}
    for node in part.nodes:
        if node not in leaves:
            part.add(node.removeprefix(part.prefix), END, implied=True)


def _drawn(graph: Pregel[Any, Any, Any, Any], prefix: str) -> _Part:
    part, drawing = _Part(prefix), graph.get_graph()
    part.nodes = [prefix + name for name in drawing.nodes if name not in (START, END)]
    for edge in drawing.edges:
        part.add(edge.source, edge.target, str(edge.data or ""), conditional=edge.conditional)
    return part


def declared_endings(config: Path) -> Mapping[str, Sequence[str]]:
    """Read graph → declared reasons from ``[tool.lastword.coverage]`` ``endings``.

    The pyproject.toml is the one beside ``config``, the ``langgraph.json``. Without that file or
    table the mapping is empty.

    Raises:
        GraphError: ``config`` cannot be read, or the table names a graph that is not in it.
        DeclarationError: the pyproject.toml is not TOML, or the table has the wrong form.
    """
    project = project_file(config)
    try:
        content = lastword_table(project)
    except BadInput as error:
        raise DeclarationError(f"{project.name}{error.where}", error.why) from error
    match content:
        case {"coverage": {"endings": dict(endings)}}:
            for reasons in endings.values():
                if not isinstance(reasons, list) or not all(isinstance(r, str) for r in reasons):
                    raise DeclarationError(project.name, _FORM)
        case {"coverage": {"endings": _}}:
            raise DeclarationError(project.name, _FORM)
        case _:
            return {}
    known = graph_specs(config)
    for graph in endings:
        check_graph(graph, known, config)
    return endings


_FORM = (
    'must give [tool.lastword.coverage] endings the form { graph = ["reason", "another_reason"] }'
)
