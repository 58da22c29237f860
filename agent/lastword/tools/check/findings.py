"""The rules of the check: findings from a graph's nodes, transitions and policy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from langgraph.constants import END, START

from lastword.signals import END_NODE
from lastword.tools.check.graph_reading import GraphReading, Node, reached, traps
from lastword.tools.check.report import Finding

_MARKS = re.compile(r"[^\w\s.,!?'\u2019-]|_")


def findings_about(graph: GraphReading) -> Iterator[Finding]:
    """All findings about a graph, except those about its state."""
    if () not in graph.unread:
        yield from _about_endings(graph)
        yield from _about_ways(graph)
        yield from _about_policy(graph)


def _about_endings(graph: GraphReading) -> Iterator[Finding]:
    """Findings ``no-ending``, ``no-way-to-end`` and ``end-node-goes-on``."""
    named = [one for one in graph.nodes if one[-1] == graph.policy.end_node]
    ends = [one for one in named if not _inside_of_more(one, graph)]
    if named and not ends:
        what = f"{_names(named)} does not end the call: the graph goes on after `{named[0][0]}`"
        yield graph.finding("no-ending", (), what)
    alive = reached(graph.ways, [(START,)])
    for group in traps(graph.ways, [one for one in graph.nodes if one in alive]):
        if not set(group) & set(ends):
            company = f" with {_names(group[1:])}" if group[1:] else ""
            what = f"loops{company} and reaches neither an end node nor END"
            yield graph.finding("no-way-to-end", group[0], what)
    for end in ends:
        yield from _goes_on(graph, end)


def _inside_of_more(node: Node, graph: GraphReading) -> bool:
    """Whether the graph always goes on after a subgraph that contains the node."""
    outer = [node[:depth] for depth in range(1, len(node))]
    return any((*one[:-1], END) not in graph.ways.get((*one, END), ()) for one in outer)


def _goes_on(graph: GraphReading, node: Node) -> Iterator[Finding]:
    """The finding ``end-node-goes-on``, for an end node of the root graph."""
    if len(node) > 1:
        return
    ways = graph.ways
    out = (*node, END) if (*node, START) in ways else node
    behind = reached(ways, ways.get(out, ())) - {node}
    loud = [one for one in graph.nodes if one in behind and not graph.is_silenced(one)]
    if loud:
        what = f"is the end node, but goes on to {_names(loud)}"
        yield graph.finding("end-node-goes-on", node, what)


def _about_ways(graph: GraphReading) -> Iterator[Finding]:
    """Findings ``unreachable-node`` and ``undeclared-goto``.

    An unreachable node may be the destination of a ``Command`` without declared destinations, in
    the same graph or in a subgraph: then the finding is ``undeclared-goto`` alone.
    """
    alive = reached(graph.ways, [(START,)])
    lost = [one for one in graph.nodes if one not in alive and (len(one) == 1 or one[:-1] in alive)]
    for node in [one for one in graph.undeclared if one in alive]:
        led_to = [one for one in lost if one[:-1] == node[: len(one) - 1]]
        lost = [one for one in lost if one not in led_to]
        if led_to:
            only = f"and nothing else leads to {_names(led_to)}"
            what = f"returns a Command without declared destinations, {only}"
            yield graph.finding("undeclared-goto", node, what)
    for node in lost:
        yield graph.finding("unreachable-node", node, "no edge leads here")


def _about_policy(graph: GraphReading) -> Iterator[Finding]:
    """Findings ``unknown-node-in-policy`` and ``end-token-in-words``."""
    policy = graph.policy
    known = {name for node in graph.nodes for name in node} | {START}
    named = {
        "silent_nodes": policy.silent_nodes,
        "spoken_nodes": policy.spoken_nodes or frozenset(),
        "end_node": frozenset({policy.end_node or END_NODE} - {END_NODE}),
    }
    for setting, names in named.items():
        for name in sorted(names - known):
            what = f"CallPolicy.{setting} names {name!r}, and no node has that name"
            yield graph.finding("unknown-node-in-policy", (), what)
    if policy.end_token is not None and can_be_said(policy.end_token):
        what = f"the end token {policy.end_token!r} may occur in ordinary speech"
        yield graph.finding("end-token-in-words", (), what)


def can_be_said(token: str) -> bool:
    """Whether speech may contain ``token``: it has no special character and is not all capitals."""
    return _MARKS.search(token) is None and not token.isupper()


def _names(nodes: list[Node]) -> str:
    return " and ".join(f"`{'/'.join(one)}`" for one in nodes)
