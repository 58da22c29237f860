"""Notes which ways the runs of a graph take; a callback handler of LangChain."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langgraph.errors import ParentCommand
from langgraph.types import Command

from lastword.testing.coverage.run_log import RunLog, TaskLog, destinations, edges_taken
from lastword.testing.coverage.shape import GraphShape
from lastword.testing.coverage.taken import Taken

_NODE_TAG = "graph:step:"
_PART_TAG = "seq:step:"
_NODE_ITSELF = "seq:step:1"
_NAMELESS_ROUTER = "condition"


class WayRecorder(BaseCallbackHandler):
    """Put it in ``config["callbacks"]`` of one graph's runs, as many as there are.

    LangGraph tags what a run starts: ``graph:step:N`` a node's task, ``seq:step:N`` the parts of
    a task, of which the first is the node and the others are its routers. A task keeps its
    checkpoint namespace when it is tried again or resumed, also by another run; so a node that
    was resumed is not counted twice, and the run that resumes goes on with the notes of the one
    that was interrupted.
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
        """What has been taken so far; nodes that ``shape`` does not have are left out."""
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
        """A graph, a node, a router, or something else that runs inside a node."""
        tag = next((each for each in tags or () if each.startswith((_NODE_TAG, _PART_TAG))), "")
        if tag.startswith(_NODE_TAG) and parent_run_id is not None and metadata is not None:
            self._begin(run_id, parent_run_id, metadata)
        elif tag and tag != _NODE_ITSELF and parent_run_id in self._running:
            name = kwargs.get("name") or _NAMELESS_ROUTER
            self._routing[run_id] = (name, self._running[parent_run_id][1])
        elif inputs is None or isinstance(inputs, Command):
            self._continuing.add(run_id)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """It came to its end; ``outputs`` of a router are its choice."""
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
        """It failed, or waits for a human, or a subgraph sends its outer graph somewhere."""
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
        """LangGraph names the graph that is meant by the task that holds the subgraph."""
        if command.graph in (space, task.node):
            task.goto = destinations(Command(goto=command.goto))
            task.ended = True


def _prefix(space: str) -> str:
    """``outer:`` for a task of the subgraph in the node ``outer``, from its namespace."""
    names = [part.partition(":")[0] for part in space.split("|") if not part.isdigit()]
    return "".join(f"{name}:" for name in names[:-1])
