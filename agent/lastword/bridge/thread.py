"""One LangGraph thread: the memory of one call, for a graph that runs in this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple, Protocol, cast, get_type_hints

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.channels import LastValue
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.types import RESUME
from langgraph.errors import InvalidUpdateError
from langgraph.graph import END
from langgraph.prebuilt import ToolNode
from langgraph.pregel import Pregel
from langgraph.types import Command, PregelTask, StateSnapshot, StateUpdate, StreamPart

from lastword.bridge.run_pointer import Question
from lastword.bridge.speech import Tools
from lastword.bridge.task_result import each_write
from lastword.signals import Ending, Opening

_log = logging.getLogger("lastword.bridge")

Part = StreamPart[Any, Any]
GraphInput = dict[str, Any] | Command[Any] | None
CHANNELS: dict[str, type] = {"event": Opening, "ending": Ending}
MODES: list[Any] = ["messages", "custom", "tasks", "checkpoints"]


class CutStep(NamedTuple):
    """What is left of a step that was cut.

    ``base`` is the checkpoint that has what the finished tasks did, ``messages`` the graph's
    messages there; ``inner`` are those that subgraphs had made and not yet handed to the graph
    around them.
    """

    base: str | None
    messages: list[BaseMessage]
    inner: list[BaseMessage]


class GraphThread(Protocol):
    """What a run needs of a graph and its memory.

    ``remembers``: there are checkpoints to go on from. ``speculates``: a run may begin before the
    turn is certain, because its nodes can wait for that themselves. ``collects``: the state adds
    new messages to those that it has; otherwise every turn brings all of them.
    """

    id: str
    remembers: bool
    speculates: bool
    collects: bool
    tools: Tools

    def stream(
        self, graph_input: GraphInput, base: str | None, watch: BaseCallbackHandler
    ) -> AsyncGenerator[Part]:
        """Run the graph from checkpoint ``base`` on; messages are LangChain's own."""

    async def channels(self) -> frozenset[str]:
        """Which of the contract's channels "event" and "ending" the graph's state has.

        They are known by name and type: another project's ``event`` channel is not ours to write.
        """

    async def root(self) -> str | None:
        """The checkpoint that the call began with; None: runs begin without one."""

    async def messages(self, base: str | None) -> list[BaseMessage]:
        """The graph's messages at checkpoint ``base``."""

    async def finish_step(self, base: str | None) -> CutStep:
        """Keep what single tasks had done when the step after ``base`` was cut or failed."""

    async def reopen(self, question: Question, base: str | None) -> None:
        """Forget answers to ``question`` that a run got which was cut before it came further."""


class LocalThread:
    """A thread of a graph that runs in this process."""

    speculates = True

    def __init__(
        self,
        graph: Pregel[Any, Any, Any, Any],
        thread_id: str,
        config: RunnableConfig,
        context: Any,
    ) -> None:
        self.id = thread_id
        self.remembers = graph.checkpointer not in (None, False)
        self.collects = not isinstance(graph.channels.get("messages"), LastValue)
        self.tools = _tools_of(graph)
        self._graph = graph
        self._config = config
        self._context = context
        self._channels = _typed_channels(graph)
        self._newest: str | None = None
        self._running = 0
        self._root: str | None = None
        self._root_lock = asyncio.Lock()

    async def channels(self) -> frozenset[str]:
        """See ``GraphThread``."""
        return self._channels

    async def stream(
        self, graph_input: GraphInput, base: str | None, watch: BaseCallbackHandler
    ) -> AsyncGenerator[Part]:
        """See ``GraphThread``.

        LangGraph reads the state twice when it is told the checkpoint, and once when it takes the
        newest. So it is told only where another run may have written to the thread since.
        """
        config = self._at(None if self._is_newest(base) else base)
        config["callbacks"] = _with(config.get("callbacks"), watch)
        parts = self._graph.astream(
            graph_input,
            config,
            context=self._context,
            stream_mode=MODES,
            subgraphs=True,
            version="v2",
        )
        self._newest = None
        self._running += 1
        last: str | None = None
        try:
            async with aclosing(cast("AsyncGenerator[Part]", parts)) as following:
                async for part in following:
                    if part["type"] == "checkpoints" and not part["ns"]:
                        at = part["data"]["config"] or {}
                        last = at.get("configurable", {}).get("checkpoint_id")
                    yield part
            self._newest = last if self._running == 1 else None
        finally:
            self._running -= 1

    def _is_newest(self, base: str | None) -> bool:
        """Whether ``base`` is for certain the newest checkpoint of the thread."""
        return base is not None and base == self._newest and not self._running

    async def root(self) -> str | None:
        """See ``GraphThread``; made when the thread is new.

        Every run that has no earlier run to continue forks from it, so that a discarded first
        run is left behind like any other.
        """
        if not self.remembers:
            return None
        async with self._root_lock:
            if self._root is None:
                config = self._at(None)
                found = (await self._graph.aget_state(config)).config
                if "checkpoint_id" not in found.get("configurable", {}):
                    found = await self._graph.aupdate_state(config, None, as_node=END)
                self._root = _checkpoint_id(found)
            return self._root

    async def messages(self, base: str | None) -> list[BaseMessage]:
        """See ``GraphThread``."""
        state = await self._graph.aget_state(self._at(base))
        return _messages_of(state.values)

    async def finish_step(self, base: str | None) -> CutStep:
        """See ``GraphThread``."""
        config = self._at(base)
        state = await self._graph.aget_state(config, subgraphs=True)
        messages = _messages_of(state.values)
        known = {message.id for message in messages}
        inner = [message for message in _inner_messages(state) if message.id not in known]
        done = [
            StateUpdate(written, task.name) for task in state.tasks for written in _writes(task)
        ]
        try:
            if done:
                base = _checkpoint_id(await self._graph.abulk_update_state(config, [done]))
                messages = await self.messages(base)
        except InvalidUpdateError:
            _log.exception("what single tasks had done before the cut does not fit together")
        self._newest = None
        return CutStep(base, messages, inner)

    async def reopen(self, question: Question, base: str | None) -> None:
        """See ``GraphThread``."""
        memory = self._graph.checkpointer
        if not isinstance(memory, BaseCheckpointSaver):
            return
        config = self._at(None if question["ns"] else base)
        config["configurable"]["checkpoint_ns"] = question["ns"]
        saved = await memory.aget_tuple(config)
        for task, channel, answers in (saved.pending_writes or []) if saved else []:
            if task == question["task"] and channel == RESUME:
                kept = list(answers)[: question["answered"]]
                await memory.aput_writes(saved.config, [(RESUME, kept)], task)  # type: ignore[union-attr]

    def _at(self, base: str | None) -> RunnableConfig:
        config = RunnableConfig(**self._config)
        if self.remembers:
            here = {"thread_id": self.id, "checkpoint_ns": ""}
            if base is not None:
                here["checkpoint_id"] = base
            config["configurable"] = {**config.get("configurable", {}), **here}
        return config


def _tools_of(graph: Pregel[Any, Any, Any, Any]) -> Tools:
    """The nodes of ``graph`` and its subgraphs that are LangGraph's ``ToolNode``."""
    nodes, direct = set(), set()
    inner = [one for _, one in graph.get_subgraphs(recurse=True) if isinstance(one, Pregel)]
    for one in [graph, *inner]:
        for name, node in one.nodes.items():
            if isinstance(node.bound, ToolNode):
                nodes.add(name)
                tools = node.bound.tools_by_name.items()
                direct |= {tool for tool, its in tools if its.return_direct}
    return Tools(frozenset(nodes), frozenset(direct))


def _inner_messages(state: StateSnapshot) -> list[BaseMessage]:
    """Messages of the subgraphs that were running, in their order, the deepest last."""
    found: dict[str | None, BaseMessage] = {}
    for inner in (task.state for task in state.tasks):
        if not isinstance(inner, StateSnapshot):
            continue
        written = [one for task in inner.tasks for one in _writes(task)]
        for values in [inner.values, *written]:
            for message in _messages_of(values):
                found[message.id] = message
        for message in _inner_messages(inner):
            found.setdefault(message.id, message)
    return list(found.values())


def _writes(task: PregelTask) -> list[dict[str, Any]]:
    """What a finished task wrote, as updates: LangGraph shows several to a channel as one."""
    updates: list[dict[str, Any]] = []
    for channel, value in (task.result or {}).items():
        for number, written in enumerate(each_write(value)):
            if number == len(updates):
                updates.append({})
            updates[number][channel] = written
    return updates


def _messages_of(values: Any) -> list[BaseMessage]:
    """The messages in a state or an update of one; of a functional graph's value none."""
    found = values.get("messages", []) if isinstance(values, Mapping) else []
    several = found if isinstance(found, list) else [found]
    return [message for message in several if isinstance(message, BaseMessage)]


def _typed_channels(graph: object) -> frozenset[str]:
    schema = getattr(getattr(graph, "builder", None), "state_schema", None)
    if not isinstance(schema, type):
        return frozenset()
    hints = get_type_hints(schema)
    ours = f"{Ending.__module__}."
    return frozenset(name for name in CHANNELS if ours in str(hints.get(name)))


def _checkpoint_id(config: RunnableConfig) -> str:
    checkpoint_id: str = config["configurable"]["checkpoint_id"]
    return checkpoint_id


def _with(
    callbacks: list[BaseCallbackHandler] | BaseCallbackManager | None, watch: BaseCallbackHandler
) -> list[BaseCallbackHandler] | BaseCallbackManager:
    """The user's own callbacks, and ours."""
    if callbacks is None:
        return [watch]
    if isinstance(callbacks, list):
        return [*callbacks, watch]
    manager = callbacks.copy()
    manager.add_handler(watch, inherit=True)
    return manager
