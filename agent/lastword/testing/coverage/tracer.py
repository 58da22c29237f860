"""A LangChain callback handler that records which nodes and edges the runs of a graph take."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langgraph.errors import ParentCommand
from langgraph.types import Command

from lastword.testing.coverage.shape import GraphShape
from lastword.testing.coverage.taken import RunLog, Taken, TaskLog, destinations, edges_taken

_NODE_TAG = "graph:step:"
_PART_TAG = "seq:step:"
_NODE_ITSELF = "seq:step:1"
_NAMELESS_ROUTER = "condition"


class EdgeTracer(BaseCallbackHandler):
    """Records the runs of one graph; pass it in ``config["callbacks"]`` of each run.

    LangGraph tags what a run starts: ``graph:step:N`` is a node's task, ``seq:step:N`` are the
    parts of a task (the first is the node, the others are its routers). A task keeps its
    checkpoint namespace when it is retried or resumed, also in another run. So a resumed node is
    counted once, and the resuming run continues the log of the interrupted one.
    """

    run_inline = True
    ignore_llm = True
    ignore_chat_model = True
    ignore_retriever = True
    ignore_agent = True
    ignore_custom_event = True

    def __init__(self) -> None:
        self._logs: list[RunLog] = []
        self._runs: dict[UUID, RunLog] = {}
        self._tasks: dict[str, tuple[RunLog, TaskLog]] = {}
        self._running: dict[UUID, tuple[str, TaskLog]] = {}
        self._routing: dict[UUID, tuple[str, TaskLog]] = {}
        self._continuing: set[UUID] = set()

    def taken(self, shape: GraphShape) -> Taken:
        """The counts so far, without endings; nodes that are not in ``shape`` are omitted."""
        known = {*shape.nodes}
        nodes: Counter[str] = Counter()
        edges: Counter[tuple[str, str]] = Counter()
        for log in self._logs:
            names = [log.prefix + task.node for task in log.tasks]
            nodes.update(name for name in names if name in known)
            if not known.isdisjoint(names):
                edges += edges_taken(log, shape)
        return Taken(nodes, edges)

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A graph, a node, a router, or something inside a node starts."""
        tag = next((each for each in tags or () if each.startswith((_NODE_TAG, _PART_TAG))), "")
        if tag.startswith(_NODE_TAG) and parent_run_id is not None and metadata is not None:
            self._begin(run_id, parent_run_id, metadata)
        elif tag and tag != _NODE_ITSELF and parent_run_id in self._running:
            name = kwargs.get("name") or _NAMELESS_ROUTER
            self._routing[run_id] = (name, self._running[parent_run_id][1])
        elif inputs is None or isinstance(inputs, Command):
            self._continuing.add(run_id)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A run ends; ``outputs`` of a router are its choice."""
        if (running := self._running.pop(run_id, None)) is not None:
            running[1].goto = destinations(outputs)
            running[1].ended = True
        elif (routing := self._routing.pop(run_id, None)) is not None:
            name, task = routing
            task.chosen[name] = [*outputs] if isinstance(outputs, list | tuple) else [outputs]
        elif (run := self._runs.pop(run_id, None)) is not None:
            run.finished = True
        self._continuing.discard(run_id)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A run fails, is interrupted, or a subgraph sends a Command to its parent graph."""
        running = self._running.pop(run_id, None)
        if running is not None and isinstance(error, ParentCommand):
            self._sent_by_subgraph(*running, error.args[0])
        self._routing.pop(run_id, None)
        self._runs.pop(run_id, None)
        self._continuing.discard(run_id)

    def _begin(self, run_id: UUID, graph_run: UUID, metadata: dict[str, Any]) -> None:
        space, node = metadata["langgraph_checkpoint_ns"], metadata["langgraph_node"]
        known = self._tasks.get(space)
        run = self._runs.get(graph_run) or (known and known[0])
        if run is None:
            run = RunLog(_prefix(space), resumed=graph_run in self._continuing)
            self._logs.append(run)
        self._runs[graph_run] = run
        run.finished = False
        if known is None:
            task = TaskLog(node, metadata["langgraph_step"])
            run.tasks.append(task)
            self._tasks[space] = (run, task)
        else:
            task = known[1]
        self._running[run_id] = (space, task)

    def _sent_by_subgraph(self, space: str, task: TaskLog, command: Command[Any]) -> None:
        """Note the targets of a ``Command(graph=...)`` addressed to the graph of ``task``."""
        if command.graph in (space, task.node):
            task.goto = destinations(Command(goto=command.goto))
            task.ended = True


def _prefix(space: str) -> str:
    """The prefix of a task's graph from its namespace: ``outer:`` for a subgraph in ``outer``."""
    names = [part.partition(":")[0] for part in space.split("|") if not part.isdigit()]
    return "".join(f"{name}:" for name in names[:-1])
