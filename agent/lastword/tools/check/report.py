"""What a check of graphs finds: kinds of findings, findings, and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Kind:
    """A kind of finding: why it matters and how to fix it, a sentence each."""

    why: str
    mend: str


KINDS: Mapping[str, Kind] = {
    "does-not-load": Kind(
        "The worker does not start while one of its graphs does not load.",
        "Fix the error in the message; the other graphs have been checked.",
    ),
    "no-ending": Kind(
        "Unless a signal or the end token ends the call, only the caller, silence or the time limit"
        " can.",
        "Let the outer graph go to END after the subgraph, or end the call in the outer graph: with"
        " the end node, the end token or lastword.signals.end_call().",
    ),
    "no-way-to-end": Kind(
        "Unless a signal or the end token ends the call there, only the caller or a limit can.",
        "Add an edge out of the loop, to the end node or to END; after END the next turn begins at"
        " START.",
    ),
    "end-node-goes-on": Kind(
        "The call is over at the end node: the caller does not hear what later nodes say.",
        "Let the end node go to END only; if the node after it says nothing, name it in"
        " CallPolicy(silent_nodes=...).",
    ),
    "end-token-in-words": Kind(
        "The end token is recognised anywhere in speech, inside longer words too, and ends the call"
        " there.",
        "Choose a token that nobody says, such as <end>, in CallPolicy(end_token=...).",
    ),
    "state-not-serialisable": Kind(
        "A checkpointer stores the state between the turns of a call.",
        "Use a TypedDict, or a model, dataclass or enum at the top of its module.",
    ),
    "undeclared-goto": Kind(
        "LangGraph draws no edge for it: Studio and other tools that read the graph show it wrong.",
        "Declare the destinations: -> Command[Literal[...]], or add_node(..., destinations=(...)).",
    ),
    "unreachable-node": Kind(
        "No call ever runs it.",
        "Add the missing edge, declare the Command that leads there with -> Command[Literal[...]],"
        " or remove the node.",
    ),
    "unknown-node-in-policy": Kind(
        "A name that no node has does nothing: a node that should be silent speaks, or a node that"
        " should end the call does not.",
        "Write the name as in add_node; for a node of a subgraph, without the subgraph's name.",
    ),
}
REMOVED: Mapping[str, str] = {
    "may-be-spoken": "conversation tests now report it as words spoken but in no message",
}
"""Codes that earlier versions reported → what replaces them."""


@dataclass(frozen=True)
class Place:
    """A line of a source file; lines count from 1."""

    file: Path
    line: int


@dataclass(frozen=True)
class Finding:
    """Something that will or may go wrong in calls of a graph.

    ``code`` is stable and a key of ``KINDS``. ``node`` is the node's name, after the names of
    the nodes whose subgraphs contain it ("agent/model"); ``channel`` is a channel of the state;
    both are "" when the finding is about the whole graph. ``also`` are other lines where a comment
    can silence the finding.
    """

    code: str
    graph: str
    what: str
    place: Place
    node: str = ""
    channel: str = ""
    also: tuple[Place, ...] = ()

    @property
    def subject(self) -> str:
        """What the finding is about: a node, a channel, or the graph."""
        return self.node or self.channel or self.graph

    @property
    def ignored_by(self) -> str:
        """The entry of ``[tool.lastword.check] ignore`` that silences this finding alone."""
        return f"{self.graph}:{self.subject}:{self.code}"


@dataclass(frozen=True)
class Report:
    """A check's result: findings in the order of the graphs, and notes about the check itself.

    ``graphs`` are the names that were checked; ``nodes`` counts their nodes, including those of
    subgraphs; ``silenced`` counts the findings that the project ignores.
    """

    graphs: tuple[str, ...] = ()
    nodes: int = 0
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    silenced: int = 0
