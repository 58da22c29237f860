"""A compiled graph as the check sees it: nodes, what they do, and the ways between them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_core.runnables import Runnable
from langgraph.constants import END, START
from langgraph.graph._node import StateNodeSpec
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel import Pregel
from langgraph.pregel.protocol import PregelProtocol

from lastword.tools.check.flow import Node
from lastword.tools.check.functions import Function, read_function
from lastword.tools.check.gotos import branch_ends
from lastword.tools.check.node_reading import NodeReading, read_node
from lastword.tools.check.report import Place
from lastword.tools.check.runnable_parts import parts
from lastword.tools.check.syntax import live


@dataclass
class GraphReading:
    """Everything that was read of a graph.

    ``nodes`` and ``branches`` have what nodes and the conditional edges behind them do; START is
    ``("__start__",)``. ``ways`` join nodes, START and END of the graph and its subgraphs; the
    ways in ``undeclared`` come from gotos that LangGraph is not told of. ``unread`` are nodes
    about which nothing is known.
    """

    root: Place
    nodes: dict[Node, NodeReading] = field(default_factory=dict)
    branches: dict[Node, list[NodeReading]] = field(default_factory=dict)
    ways: dict[Node, set[Node]] = field(default_factory=dict)
    undeclared: set[tuple[Node, Node]] = field(default_factory=set)
    unread: list[Node] = field(default_factory=list)
    places: dict[Node, Place] = field(default_factory=dict)
    added: dict[Node, Place] = field(default_factory=dict)
    """The line of the node's ``add_node``, where it is found."""

    def way(self, begin: Node, end: Node, *, declared: bool = True) -> None:
        """Add a way; one that was declared stays so."""
        known = end in self.ways.setdefault(begin, set())
        self.ways[begin].add(end)
        if not declared and not known:
            self.undeclared.add((begin, end))
        elif declared:
            self.undeclared.discard((begin, end))

    def place(self, node: Node) -> Place:
        """Where a node is written: its function, else its ``add_node``, else the graph."""
        while node and node not in self.places and node not in self.added:
            node = node[:-1]
        return self.places.get(node) or self.added.get(node) or self.root

    def also(self, node: Node) -> tuple[Place, ...]:
        """Other lines that stand for the node."""
        return (self.added[node],) if node in self.added else ()


def read_graph(graph: Pregel[Any, Any, Any, Any], root: Place) -> GraphReading:
    """Read a compiled graph and its subgraphs; ``root`` is where it is made."""
    reading = GraphReading(root)
    _Reader(reading).graph(graph, ())
    return reading


class _Reader:
    """Reads one graph, and the subgraphs in it."""

    def __init__(self, reading: GraphReading) -> None:
        self._reading = reading

    def graph(self, graph: PregelProtocol[Any, Any, Any, Any], path: Node) -> None:
        start, end = (*path, START), (*path, END)
        if not isinstance(graph, CompiledStateGraph):
            self._reading.unread.append(path)
            self._reading.way(start, end)
            return
        builder = graph.builder
        whole = {name: spec.runnable for name, spec in builder.nodes.items()}
        inner = {name: one for name, one in whole.items() if isinstance(one, PregelProtocol)}
        inner.update(graph.get_subgraphs())
        names = set(builder.nodes)
        for name, spec in builder.nodes.items():
            self._node(path, name, spec, inner.get(name), names)
        for begin, following in builder._all_edges:  # noqa: SLF001 - waiting edges are in it too
            self._reading.way(self._out(path, begin, inner), (*path, following))
        for name, branches in builder.branches.items():
            for branch in branches.values():
                self._branch(path, name, branch, self._out(path, name, inner), names)
        static = {begin for begin, _ in builder._all_edges} | set(builder.branches)  # noqa: SLF001
        for name in names - static:
            self._without_edge((*path, name), self._out(path, name, inner), end)

    def _out(self, path: Node, name: str, inner: Mapping[str, object]) -> Node:
        """Where one is when a node is done: at the END of its subgraph if it has one."""
        return (*path, name, END) if name in inner else (*path, name)

    def _without_edge(self, node: Node, out: Node, end: Node) -> None:
        """A node without an edge is the last of the run, unless it goes on by a Command."""
        functions = self._reading.nodes[node].functions
        goes_on = self._reading.ways.get(out)
        if not goes_on or (functions and _may_return_without_goto(functions[0])):
            self._reading.way(out, end)

    def _node(
        self,
        path: Node,
        name: str,
        spec: StateNodeSpec[Any, Any],
        inner: PregelProtocol[Any, Any, Any, Any] | None,
        names: set[str],
    ) -> None:
        node = (*path, name)
        is_graph = isinstance(spec.runnable, PregelProtocol)
        at = self._reading.place(path) if path else self._reading.root
        found = NodeReading() if is_graph else read_node(spec.runnable, at)
        self._reading.nodes[node] = found
        if found.functions:
            self._reading.places[node] = found.functions[0].place
        if not found.is_known:
            self._reading.unread.append(node)
        if inner is not None:
            self._reading.way(node, (*node, START))
            self.graph(inner, node)
            if not is_graph:
                self._reading.way(node, (*node, END))
        if spec.error_handler_node is not None:
            self._reading.way(node, (*path, spec.error_handler_node))
        self._gotos(path, spec, found, names, (*node, END) if inner is not None else node)

    def _gotos(
        self,
        path: Node,
        spec: StateNodeSpec[Any, Any],
        found: NodeReading,
        names: set[str],
        out: Node,
    ) -> None:
        for declared in spec.ends or ():
            self._reading.way(out, (*path, declared))
        for target in found.gotos.here & {*names, END}:
            self._reading.way(out, (*path, target), declared=target == END)
        for target in found.gotos.parent if path else ():
            self._reading.way(out, (*path[:-1], target))
        if found.gotos.is_open and not spec.ends:
            self._anywhere(path, out, names)

    def _branch(self, path: Node, name: str, branch: Any, out: Node, names: set[str]) -> None:
        at = self._reading.place((*path, name))
        found = read_node(branch.path, at, is_router=True)
        self._reading.branches.setdefault((*path, name), []).append(found)
        ends = branch.ends.values() if branch.ends is not None else _told_ends(branch.path)
        if ends is None:
            self._anywhere(path, out, names)
        for following in ends or ():
            if following in {*names, END}:
                self._reading.way(out, (*path, following))

    def _anywhere(self, path: Node, out: Node, names: set[str]) -> None:
        for following in {*names, END}:
            self._reading.way(out, (*path, following))


def _told_ends(path: Runnable[Any, Any]) -> frozenset[str] | None:
    function = next((read_function(one) for one in parts(path)), None)
    return None if function is None else branch_ends(function)


def _may_return_without_goto(function: Function) -> bool:
    """Whether a node that makes Commands also has a way on which it makes none."""
    for node in live(function):
        match node:
            case ast.Return(value=None | ast.Constant(value=None) | ast.Dict()):
                return True
    return False
