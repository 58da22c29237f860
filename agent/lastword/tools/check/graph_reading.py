"""A compiled graph as the check sees it: its nodes, the transitions between them, their lines.

Nothing is run and no source is parsed. Transitions ("ways" in the code) are the edges, branches and
``Command`` destinations that LangGraph has collected; the source is searched only for the line
numbers of findings.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from sysconfig import get_path
from typing import Any, TypeAlias, Union, get_args, get_origin, get_type_hints

from langgraph.constants import END, START
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel.protocol import PregelProtocol
from langgraph.types import Command

from lastword.graphs_config import CallGraph
from lastword.signals import CallPolicy
from lastword.tools.check.report import Finding, Place

Node: TypeAlias = tuple[str, ...]
"""A node's name, after the names of the nodes whose subgraphs it is in."""
Ways: TypeAlias = Mapping[Node, Set[Node]]
"""Node → the nodes that the graph may run next."""
_INSTALLED = [Path(get_path(one)).resolve() for one in ("stdlib", "platlib", "purelib")]


@dataclass
class GraphReading:
    """A graph with its subgraphs, and the policy of its calls.

    ``root`` is the line that assigns the graph. ``ways`` connect the nodes, START and END of the
    graph and of each subgraph. ``undeclared`` are nodes whose annotation says that they return a
    ``Command``, but not its destinations. ``unread`` are graphs that are not a ``StateGraph``, by
    the node they are in; ``()`` is the graph itself.
    """

    name: str
    policy: CallPolicy
    root: Place
    nodes: list[Node] = field(default_factory=list)
    ways: dict[Node, set[Node]] = field(default_factory=dict)
    undeclared: list[Node] = field(default_factory=list)
    unread: list[Node] = field(default_factory=list)
    places: dict[Node, Place] = field(default_factory=dict)
    """Line of a node's function, if the function is in the project's own code."""

    @property
    def files(self) -> set[Path]:
        """The project's files that are known to define the graph."""
        return {one.file for one in (self.root, *self.places.values()) if is_own(one.file)}

    def lines(self, node: Node) -> list[Place]:
        """The lines for findings about a node, the best one first.

        Its function and its ``add_node``; else the lines of the node that contains it; else the
        line of the graph.
        """
        if not node:
            return [self.root]
        name = rf"(?:[\w.]+\.)?{re.escape(node[-1])}\b"
        call = re.compile(rf"add_node\(\s*[\"']?{name}")
        added = [one for file in sorted(self.files) for one in _lines_of(call, file)]
        found = [self.places[node], *added] if node in self.places else added
        return found or self.lines(node[:-1])

    def finding(self, code: str, node: Node, what: str) -> Finding:
        """A finding about a node; about the whole graph when ``node`` is empty."""
        place, *also = self.lines(node)
        return Finding(code, self.name, what, place, node="/".join(node), also=tuple(also))

    def is_silenced(self, node: Node) -> bool:
        """Whether the policy silences the node, or a node whose subgraph contains it."""
        spoken = self.policy.spoken_nodes
        not_spoken = spoken is not None and not spoken.intersection(node)
        return not_spoken or bool(self.policy.silent_nodes.intersection(node))


def read_graph(loaded: CallGraph, root: Place) -> GraphReading:
    """Read a compiled graph and its subgraphs; ``root`` is the line that assigns it."""
    reading = GraphReading(loaded.name, loaded.policy, root)
    _read(reading, loaded.graph, (), ())
    return reading


def _read(
    reading: GraphReading,
    graph: PregelProtocol[Any, Any, Any, Any],
    path: Node,
    inside: tuple[int, ...],
) -> None:
    if not isinstance(graph, CompiledStateGraph) or id(graph) in inside:
        if id(graph) not in inside:
            reading.unread.append(path)
        reading.ways[*path, START] = {(*path, END)}
        return
    builder = graph.builder
    inner: dict[str, PregelProtocol[Any, Any, Any, Any]] = dict(graph.get_subgraphs())
    for name, spec in builder.nodes.items():
        node = (*path, name)
        reading.nodes.append(node)
        if isinstance(spec.runnable, PregelProtocol):
            inner[name] = spec.runnable
        function = _function_of(spec.runnable)
        place = None if function is None else _place(function)
        if place is not None and is_own(place.file):
            reading.places[node] = place
        if not spec.ends and _returns_command(function):
            reading.undeclared.append(node)
        if name in inner:
            is_called = inner[name] is not spec.runnable  # the function may also not call it
            reading.ways[node] = {(*node, START), *([(*node, END)] if is_called else [])}
            _read(reading, inner[name], node, (*inside, id(graph)))
    for begin, end in _edges(graph):
        out = (*path, begin, END) if begin in inner else (*path, begin)
        reading.ways.setdefault(out, set()).add((*path, end))


def _edges(graph: CompiledStateGraph[Any, Any, Any, Any]) -> Iterator[tuple[str, str]]:
    """The edges of one graph. A branch without declared ends leads to every node."""
    builder = graph.builder
    fixed = [*builder.edges]
    fixed += [(one, end) for several, end in builder.waiting_edges for one in several]
    for begin, branches in builder.branches.items():
        for branch in branches.values():
            ends = [*builder.nodes, END] if branch.ends is None else branch.ends.values()
            fixed += [(begin, end) for end in ends]
    yield from fixed
    goes_on = {begin for begin, _ in fixed}
    for name, spec in builder.nodes.items():
        yield from ((name, end) for end in spec.ends or ())
        if spec.error_handler_node is not None:
            yield name, spec.error_handler_node
        always = spec.ends and _returns_command(_function_of(spec.runnable), always=True)
        if name not in goes_on and not always:
            yield name, END


def _function_of(runnable: object) -> Any:
    """The function of a node; None for a node that is not made from a function."""
    function = getattr(runnable, "func", None) or getattr(runnable, "afunc", None)
    while isinstance(function, partial):
        function = function.func
    if function is None or inspect.isroutine(function):
        return function
    return type(function).__call__


def _returns_command(function: Any, *, always: bool = False) -> bool:
    """Whether ``function`` is annotated to return a ``Command``: sometimes, or ``always``."""
    try:
        hint = get_type_hints(function).get("return")
    except Exception:  # noqa: BLE001 - an annotation may be any expression
        return False
    several = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else [hint]
    found = [(get_origin(one) or one) is Command for one in several]
    return all(found) if always else any(found)


def _place(function: Any) -> Place | None:
    """The line of a function's ``def``, below its decorators."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return None
    file, first = Path(code.co_filename), code.co_firstlineno
    defs = (one.line for one in _lines_of(_DEF, file) if one.line >= first)
    return Place(file, first if code.co_name == "<lambda>" else next(defs, first))


_DEF = re.compile(r"^[ \t]*(?:async[ \t]+)?(?=def\b)", re.MULTILINE)


def variable_line(file: Path, variable: str) -> Place:
    """The line where a module assigns a variable; its first line if there is none."""
    found = _lines_of(re.compile(rf"^{re.escape(variable)}\b(?=\s*[:=])", re.MULTILINE), file)
    return next(iter(found), Place(file, 1))


def _lines_of(pattern: re.Pattern[str], file: Path) -> Iterable[Place]:
    text = _text(file)
    return [Place(file, text.count("\n", 0, one.end()) + 1) for one in pattern.finditer(text)]


@cache
def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


@cache
def is_own(file: Path) -> bool:
    """Whether a file belongs to the project, not to Python or an installed package."""
    resolved = file.resolve()
    return resolved.is_file() and not any(resolved.is_relative_to(one) for one in _INSTALLED)


def reached(ways: Ways, begin: Iterable[Node]) -> set[Node]:
    """All nodes that can be reached from ``begin``, including ``begin``."""
    found: set[Node] = set()
    waiting = list(begin)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += ways.get(node, ())
    return found


def traps(ways: Ways, among: Iterable[Node]) -> list[list[Node]]:
    """Groups of nodes that can reach one another and nothing else, in the order of ``among``."""
    order = list(among)
    found: list[list[Node]] = []
    for node in order:
        group = reached(ways, ways.get(node, ())) | {node}
        is_known = any(node in one for one in found)
        if not is_known and all(node in reached(ways, [other]) for other in group):
            found.append([one for one in order if one in group])
    return found
