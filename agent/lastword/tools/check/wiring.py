"""Nodes that nobody gets to, gotos that LangGraph is not told of, names that no node has."""

from __future__ import annotations

from collections.abc import Iterator

from langgraph.constants import END, START

from lastword.signals import END_NODE
from lastword.tools.check.endings import ROOT_START, Subject
from lastword.tools.check.flow import reached
from lastword.tools.check.report import Finding


def about_wiring(subject: Subject) -> Iterator[Finding]:
    """Findings ``unreachable-node``, ``undeclared-goto`` and ``unknown-node-in-policy``."""
    yield from _unreachable(subject)
    yield from _undeclared(subject)
    yield from _unknown(subject)


def _unreachable(subject: Subject) -> Iterator[Finding]:
    reading = subject.reading
    alive = reached(reading.ways, [ROOT_START])
    for node in reading.nodes:
        if node not in alive and (len(node) == 1 or node[:-1] in alive):
            yield subject.finding("unreachable-node", node, "no way leads here")


def _undeclared(subject: Subject) -> Iterator[Finding]:
    """Only gotos without which a node looks as if nobody got there."""
    reading = subject.reading
    alive = reached(reading.ways, [ROOT_START])
    drawn = {
        begin: {end for end in following if (begin, end) not in reading.undeclared}
        for begin, following in reading.ways.items()
    }
    looks_alive = reached(drawn, [ROOT_START])
    for begin, end in sorted(reading.undeclared):
        if end in alive and end not in looks_alive:
            node = begin[:-1] if begin[-1] == END else begin
            what = f"goes to `{'/'.join(end)}` by a Command that its annotation does not tell of"
            yield subject.finding("undeclared-goto", node, what)


def _unknown(subject: Subject) -> Iterator[Finding]:
    policy = subject.policy
    known = {name for node in subject.reading.nodes for name in node} | {START}
    for field in ("silent_nodes", "spoken_nodes"):
        for name in sorted((getattr(policy, field) or frozenset()) - known):
            what = f"CallPolicy.{field} names {name!r}, and no node has that name"
            yield subject.finding("unknown-node-in-policy", (), what)
    is_told = policy.end_node not in (None, END_NODE)
    if is_told and policy.end_node not in known:
        what = f"CallPolicy.end_node is {policy.end_node!r}, and no node has that name"
        yield subject.finding("unknown-node-in-policy", (), what)
