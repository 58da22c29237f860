"""What a check of graphs has found, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """A line of a source file; lines count from 1."""

    file: Path
    line: int


@dataclass(frozen=True)
class Finding:
    """One thing that will go wrong, or may go wrong, in calls of a graph.

    ``code`` is stable and one of ``lastword.tools.check.catalogue.KINDS``. ``node`` is the node's
    name, after those of the nodes whose subgraphs it is in ("agent/model"), ``channel`` a channel
    of the state; both are "" when the finding is about the whole graph. ``also`` are other lines
    where a comment silences the finding.
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

    def moved(self, place: Place) -> Finding:
        """The same at another place; a comment where it was silences it still."""
        return replace(self, place=place, also=(*self.also, self.place))


@dataclass(frozen=True)
class Report:
    """A check's result: findings in the order of the graphs, and notes about the check itself.

    ``graphs`` are the names that were checked; ``nodes`` counts their nodes, those of subgraphs
    too; ``silenced`` counts the findings that somebody does not want to hear of.
    """

    graphs: tuple[str, ...] = ()
    nodes: int = 0
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    silenced: int = 0
