"""Ways through a graph: what can be reached from where. Pure code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import TypeAlias

Node: TypeAlias = tuple[str, ...]
"""A node's name, after the names of the nodes whose subgraphs it is in."""
Ways: TypeAlias = Mapping[Node, Set[Node]]
"""Where one can go from each node."""


def reached(ways: Ways, begin: Iterable[Node]) -> set[Node]:
    """All nodes that ways lead to from ``begin``, those themselves too."""
    found: set[Node] = set()
    waiting = list(begin)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += ways.get(node, ())
    return found


def backwards(ways: Ways) -> dict[Node, set[Node]]:
    """The same ways, gone the other way."""
    back: dict[Node, set[Node]] = {}
    for node, following in ways.items():
        for one in following:
            back.setdefault(one, set()).add(node)
    return back


def traps(ways: Ways, among: Iterable[Node]) -> list[list[Node]]:
    """Groups of nodes ``among`` these that lead to one another and to nothing else.

    In the order of ``among``.
    """
    order = list(among)
    found: list[list[Node]] = []
    for node in order:
        group = reached(ways, ways.get(node, ())) | {node}
        known = any(node in one for one in found)
        if not known and all(node in reached(ways, [other]) for other in group):
            found.append([one for one in order if one in group])
    return found
