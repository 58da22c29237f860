"""What was noted of one run of a graph, and which edges it took (pure)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from langgraph.graph import END, START
from langgraph.types import Command, Send

from lastword.testing.coverage.shape import GraphShape, Router

Edges = Counter[tuple[str, str]]

HANDLER = "__error_handler__"
"""How LangGraph begins the name of a node's error handler."""


@dataclass
class TaskLog:
    """One task of a run: ``node`` in ``step``.

    ``chosen`` is what the node's routers returned, by their names; ``goto`` where its Command
    sent the graph. ``ended``: it came to its end, so its ways were taken.
    """

    node: str
    step: int
    chosen: dict[str, list[Any]] = field(default_factory=dict)
    goto: list[str] = field(default_factory=list)
    ended: bool = False


@dataclass
class RunLog:
    """One run of a graph or subgraph, with all that resumed it; ``prefix`` names the subgraph.

    ``resumed``: its first task goes on in the middle. ``finished``: it came to its end.
    """

    prefix: str
    resumed: bool
    tasks: list[TaskLog] = field(default_factory=list)
    finished: bool = False


def edges_taken(run: RunLog, shape: GraphShape) -> Edges:
    """Which edges of ``shape`` the run took, and how often.

    An edge is taken when its source came to its end and chose it, and its target ran in the next
    step. The choice is known: fixed edges, what the router returned, ``Command(goto=...)``. Of a
    router that LangGraph does not show (one made with ``trace=False``, as in ``create_agent``)
    it is concluded from what ran next. Joins and deferred nodes wait longer than one step. The
    end of the graph needs nothing to run behind it.
    """
    taken: Edges = Counter()
    reading = _Reading(run, shape)
    for task in reading.tasks:
        name = run.prefix + task.node
        for target in reading.ways_of(task):
            taken[name, run.prefix + target] += 1
        if task.node.startswith(HANDLER):
            taken[run.prefix + task.node.removeprefix(HANDLER), name] += 1
    return taken


class _Reading:
    """One reading of a run; names inside it carry no prefix."""

    def __init__(self, run: RunLog, shape: GraphShape) -> None:
        self._run, self._shape = run, shape
        self.tasks = _with_start(run)
        self._at: defaultdict[int, set[str]] = defaultdict(set)
        for task in self.tasks:
            self._at[task.step].add(task.node)
        self._last = max(self._at, default=0)

    def ways_of(self, task: TaskLog) -> Iterator[str]:
        """The targets of ``task`` that were reached."""
        if not task.ended:
            return
        known, unknown = self._choice(task)
        joins = [join for join in self._shape.joins if self._full(task.node) in join.sources]
        if not known and not unknown and not joins:
            known = [END]
        reached = [each for each in known if each != END and self._reached(each, task.step)]
        yield from reached
        concluded = [each for router in unknown for each in self._concluded(router, task, known)]
        yield from dict.fromkeys(each for each in concluded if each != END)
        if END in known or END in concluded:
            yield END
        for join in joins:
            if self._joined(join.sources, self._short(join.target), task):
                yield self._short(join.target)

    def _choice(self, task: TaskLog) -> tuple[list[str], list[Router]]:
        """Where the task is known to have gone, and the routers of which that is not known."""
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

    def _concluded(self, router: Router, task: TaskLog, known: list[str]) -> Iterator[str]:
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
        """Whether the join fired after ``task``, and after all the others it waits for."""
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
    """LangGraph shows the start as a task only when it has a router."""
    if run.resumed or not run.tasks or any(task.node == START for task in run.tasks):
        return run.tasks
    return [TaskLog(START, min(task.step for task in run.tasks) - 1, ended=True), *run.tasks]


def destinations(result: object) -> list[str]:
    """Where the Commands in a node's result send its own graph; more than one in a list."""
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
