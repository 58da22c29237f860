"""Can a call come to an ending? Findings about endings and the ways to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from langgraph.constants import END, START

from lastword.signals import CallPolicy
from lastword.tools.check.flow import Node, backwards, reached, traps
from lastword.tools.check.graph_reading import GraphReading
from lastword.tools.check.node_reading import NodeReading
from lastword.tools.check.report import Finding

ROOT_START, ROOT_END = (START,), (END,)


@dataclass(frozen=True)
class Subject:
    """A graph that was read, and how its calls are conducted."""

    name: str
    reading: GraphReading
    policy: CallPolicy

    def finding(self, code: str, node: Node, what: str) -> Finding:
        """A finding about a node; about the whole graph when ``node`` is empty."""
        place, also = self.reading.place(node), self.reading.also(node)
        return Finding(code, self.name, what, place, node="/".join(node), also=also)

    def is_silenced(self, node: Node) -> bool:
        """Whether the policy keeps the node, or one whose subgraph it is in, from speaking."""
        spoken = self.policy.spoken_nodes
        not_spoken = spoken is not None and not spoken.intersection(node)
        return not_spoken or bool(self.policy.silent_nodes.intersection(node))


def about_endings(subject: Subject) -> Iterator[Finding]:
    """Findings ``no-ending``, ``no-way-to-end`` and ``end-node-goes-on``."""
    found = list(ending_nodes(subject))
    if found:
        yield from _stuck(subject, found)
        yield from _goes_on(subject)
    else:
        what = f"nothing in the graph ends a call{_near_miss(subject)}"
        yield subject.finding("no-ending", (), what)


def ending_nodes(subject: Subject) -> Iterator[Node]:
    """The nodes that end the call, or may: by their name, a signal, or the end token."""
    for node, reading in subject.reading.nodes.items():
        branches = subject.reading.branches.get(node, ())
        if (
            _is_end_node(subject, node)
            or reading.signals
            or any(one.signals for one in branches)
            or _streams_token(subject, node, reading)
        ):
            yield node


def _is_end_node(subject: Subject, node: Node) -> bool:
    """An end node; that of a subgraph only if the graph may be over behind the subgraph."""
    if subject.policy.end_node is None or node[-1] != subject.policy.end_node:
        return False
    ways = subject.reading.ways
    behind = [node[:depth] for depth in range(1, len(node))]
    return all((*one[:-1], END) in ways.get((*one, END), ()) for one in behind)


def _streams_token(subject: Subject, node: Node, reading: NodeReading) -> bool:
    token = subject.policy.end_token
    if token is None or subject.is_silenced(node) or not reading.speaks or reading.is_silent:
        return False
    return any(token in text.value for text in reading.texts)


def _stuck(subject: Subject, ends: list[Node]) -> Iterator[Finding]:
    """Whoever gets to END is at START again in the next turn, so a trap leads not even there."""
    ways = subject.reading.ways
    good = reached(backwards(ways), ends)
    if ROOT_START not in good:
        names = " and ".join(f"`{'/'.join(one)}`" for one in ends)
        what = f"no way leads from START to where the graph ends a call, {names}"
        yield subject.finding("no-way-to-end", (), what)
        return
    alive = reached(ways, [ROOT_START])
    lost = [one for one in subject.reading.nodes if one in alive and one not in good]
    for group in traps(ways, lost):
        others = ", ".join(f"`{'/'.join(one)}`" for one in group[1:])
        company = f" with {others}" if others else ""
        what = f"goes round{company} without a way to an ending or to END"
        yield subject.finding("no-way-to-end", group[0], what)


def _goes_on(subject: Subject) -> Iterator[Finding]:
    """Silent work behind the end node is all right: nobody waits for it."""
    node = (subject.policy.end_node or "",)
    if node not in subject.reading.nodes:
        return
    out = (*node, END) if (*node, START) in subject.reading.ways else node
    behind = reached(subject.reading.ways, subject.reading.ways.get(out, ())) - {ROOT_END}
    said = [one for one in subject.reading.nodes if one in behind and _may_speak(subject, one)]
    if said:
        names = " and ".join(f"`{'/'.join(one)}`" for one in said)
        yield subject.finding("end-node-goes-on", node, f"is the end node, but goes on to {names}")


def _may_speak(subject: Subject, node: Node) -> bool:
    reading = subject.reading.nodes[node]
    return reading.speaks or not reading.is_known


def _near_miss(subject: Subject) -> str:
    """What looks like an ending in a graph that has none."""
    for node, reading in subject.reading.nodes.items():
        if node[-1] == subject.policy.end_node:
            return f"; `{'/'.join(node)}` does not, for the graph goes on behind `{node[0]}`"
        if any(text.value == "ending" for text in reading.texts):
            return "; writing the channel `ending` gives a reason, but ends nothing"
    return ""
