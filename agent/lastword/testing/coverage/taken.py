"""Counts the nodes, edges and endings that runs of a graph took (pure)."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from langgraph.graph import END, START
from langgraph.types import Command, Send

from lastword.testing.coverage.shape import GraphShape, Router

Edges = Counter[tuple[str, str]]

HANDLER = "__error_handler__"
"""Prefix of the name that LangGraph gives a node's error handler."""


@dataclass
class Taken:
    """How often each node, edge (source, target) and ending (source, reason) was taken."""

    nodes: Counter[str] = field(default_factory=Counter)
    edges: Counter[tuple[str, str]] = field(default_factory=Counter)
    endings: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add_ending(self, source: str, reason: str) -> None:
        """Count an ending; ``source`` is ``node``, ``token``, ``event`` or ``tool``."""
        self.endings[source, reason] += 1

    def merge(self, other: Taken) -> None:
        """Add the counts of another call or process."""
        self.nodes += other.nodes
        self.edges += other.edges
        self.endings += other.endings

    def to_json(self) -> str:
        """JSON text for another process; ``from_json`` reads it."""
        return json.dumps(
            {
                "nodes": dict(sorted(self.nodes.items())),
                "edges": [[*edge, count] for edge, count in sorted(self.edges.items())],
                "endings": [[*ending, count] for ending, count in sorted(self.endings.items())],
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Taken:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: the text was not written by ``to_json``.
        """
        try:
            match json.loads(text):
                case {"nodes": dict(nodes), "edges": list(edges), "endings": list(endings)}:
                    return cls(Counter(nodes), _pairs(edges), _pairs(endings))
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"these are not the counts of a graph: {error}") from error
        raise ValueError("these are not the counts of a graph: nodes, edges or endings are missing")


def _pairs(rows: list[tuple[str, str, int]]) -> Counter[tuple[str, str]]:
    return Counter({(first, second): count for first, second, count in rows})


@dataclass
class TaskLog:
    """One task of a run: ``node`` in superstep ``step``.

    ``chosen``: router name → what the router returned. ``goto``: targets of the node's Commands.
    ``ended``: the task finished without an error, so its outgoing edges were taken.
    """

    node: str
    step: int
    chosen: dict[str, list[Any]] = field(default_factory=dict)
    goto: list[str] = field(default_factory=list)
    ended: bool = False


@dataclass
class RunLog:
    """One run of a graph or subgraph, including the runs that resumed it.

    ``prefix``: ``outer:`` for the subgraph in the node ``outer``, "" for the whole graph.
    ``resumed``: the log starts in the middle of the graph. ``finished``: the run ended.
    """

    prefix: str
    resumed: bool
    tasks: list[TaskLog] = field(default_factory=list)
    finished: bool = False


def edges_taken(run: RunLog, shape: GraphShape) -> Edges:
    """Count the edges of ``shape`` that the run took.

    An edge is taken when its source finished and chose it, and its target ran in the next step.
    Fixed edges, return values of routers and ``Command(goto=...)`` give the choice. The choice of
    a router that LangGraph does not trace (``trace=False``, as in ``create_agent``) is inferred
    from the nodes that ran next. Joins and deferred nodes may run more than one step later. An
    edge to the end of the graph needs no node to run after it.
    """
    taken: Edges = Counter()
    reading = _Reading(run, shape)
    for task in reading.tasks:
        name = run.prefix + task.node
        for target in reading.targets_of(task):
            taken[name, run.prefix + target] += 1
        if task.node.startswith(HANDLER):
            taken[run.prefix + task.node.removeprefix(HANDLER), name] += 1
    return taken


class _Reading:
    """Derives edges from one run log; node names here have no prefix."""

    def __init__(self, run: RunLog, shape: GraphShape) -> None:
        self._run, self._shape = run, shape
        self.tasks = _with_start(run)
        self._at: defaultdict[int, set[str]] = defaultdict(set)
        for task in self.tasks:
            self._at[task.step].add(task.node)
        self._last = max(self._at, default=0)

    def targets_of(self, task: TaskLog) -> Iterator[str]:
        """The targets that the run reached from ``task``."""
        if not task.ended:
            return
        known, unknown = self._choice(task)
        joins = [join for join in self._shape.joins if self._full(task.node) in join.sources]
        if not known and not unknown and not joins:
            known = [END]
        reached = [each for each in known if each != END and self._reached(each, task.step)]
        yield from reached
        inferred = [each for router in unknown for each in self._inferred(router, task, known)]
        yield from dict.fromkeys(each for each in inferred if each != END)
        if END in known or END in inferred:
            yield END
        for join in joins:
            if self._joined(join.sources, self._short(join.target), task):
                yield self._short(join.target)

    def _choice(self, task: TaskLog) -> tuple[list[str], list[Router]]:
        """The known targets of a task, and its routers whose choice is unknown."""
        fixed = [self._short(each) for each in self._shape.fixed.get(self._full(task.node), ())]
        known = [*task.goto, *(each for each in fixed if each != END or not task.goto)]
        unknown = []
        for router in self._shape.routers:
            if router.node != self._full(task.node):
                continue
            if router.name in task.chosen:
                known += (self._target(router, each) for each in task.chosen[router.name])
            else:
                unknown.append(router)
        return known, unknown

    def _target(self, router: Router, returned: Any) -> str:
        if isinstance(returned, Send):
            return returned.node
        if router.targets is None:
            return str(returned)
        return self._short(router.targets.get(returned, str(returned)))

    def _reached(self, target: str, step: int) -> bool:
        if self._full(target) in self._shape.deferred:
            return any(target in self._at[later] for later in range(step + 1, self._last + 1))
        return target in self._at[step + 1]

    def _inferred(self, router: Router, task: TaskLog, known: list[str]) -> Iterator[str]:
        ran = self._at[task.step + 1] - set(known)
        if router.targets is None:
            may_end = True
        else:
            may_end = self._full(END) in router.targets.values()
            ran &= {self._short(each) for each in router.targets.values()}
        yield from sorted(ran)
        if not ran and may_end and (self._run.finished or self._last > task.step):
            yield END

    def _joined(self, sources: tuple[str, ...], target: str, task: TaskLog) -> bool:
        """Whether the join ran after ``task`` and after all its other sources."""
        ran = sorted(step for step, nodes in self._at.items() if target in nodes)
        fired = next((step for step in ran if step > task.step), None)
        if fired is None:
            return False
        since = max((step for step in ran if step < fired), default=-2)
        arrived = {
            self._full(each.node)
            for each in self.tasks
            if each.ended and since <= each.step < fired
        }
        return arrived.issuperset(sources)

    def _full(self, name: str) -> str:
        return self._run.prefix + name

    def _short(self, name: str) -> str:
        return name.removeprefix(self._run.prefix)


def _with_start(run: RunLog) -> list[TaskLog]:
    """Add a task for START, which LangGraph traces only when START has a router."""
    if run.resumed or not run.tasks or any(task.node == START for task in run.tasks):
        return run.tasks
    return [TaskLog(START, min(task.step for task in run.tasks) - 1, ended=True), *run.tasks]


def destinations(result: object) -> list[str]:
    """Targets of the Commands in a node's result, within the node's own graph."""
    match result:
        case Command(graph=None, goto=goto):
            several = [goto] if isinstance(goto, str | Send) else goto
            return [each.node if isinstance(each, Send) else str(each) for each in several]
        case list() | tuple():
            return [
                target
                for each in result
                if isinstance(each, Command)
                for target in destinations(each)
            ]
        case _:
            return []
