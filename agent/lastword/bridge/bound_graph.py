"""A graph bound to the LangGraph thread of one call: what a run needs, and a local graph.

A LangGraph thread is where LangGraph keeps the checkpoints of one conversation.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
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

from lastword.bridge.chat_items import Question
from lastword.signals import Ending, Opening

_log = logging.getLogger("lastword.bridge")

Part = StreamPart[Any, Any]
GraphInput = dict[str, Any] | Command[Any] | None
CHANNELS: dict[str, type] = {"event": Opening, "ending": Ending}
MODES: list[Any] = ["messages", "custom", "tasks", "checkpoints"]


class RunStart(NamedTuple):
    """Where a run starts.

    ``checkpoint_id``: the checkpoint to run from. ``messages``: the graph's messages there, empty
    when they are not needed. ``inner``: messages that subgraphs of an interrupted run had made and
    not yet handed to the graph around them.
    """

    checkpoint_id: str | None
    messages: list[BaseMessage]
    inner: list[BaseMessage]


@dataclass(frozen=True)
class GraphTools:
    """What is known of a graph's tools.

    ``nodes``: names of the nodes that run tools. What models say in them is not for the caller, but
    what they write into the graph's messages is. ``direct``: names of the tools whose answers are
    for the caller (LangChain's ``return_direct``).
    """

    nodes: frozenset[str] = frozenset()
    direct: frozenset[str] = frozenset()


class BoundGraph(Protocol):
    """A graph and its memory of one call.

    ``thread_id``: LangGraph's name of the thread. ``remembers``: there are checkpoints to continue
    from. ``speculates``: a run may begin before the turn is certain, because its nodes can wait for
    that themselves. ``collects``: the state appends new messages to the old ones; otherwise every
    turn sends all of them.
    """

    thread_id: str
    remembers: bool
    speculates: bool
    collects: bool
    tools: GraphTools

    def stream(
        self, graph_input: GraphInput, checkpoint_id: str | None, watch: BaseCallbackHandler
    ) -> AsyncGenerator[Part]:
        """Run the graph from ``checkpoint_id``; messages in the stream are LangChain's classes."""

    async def channels(self) -> frozenset[str]:
        """Which of Lastword's channels "event" and "ending" the graph's state has.

        They are recognised by name and type: another project's ``event`` channel is left alone.
        """

    async def root(self) -> str | None:
        """The checkpoint that the call began with; None: runs begin without one."""

    async def messages(self, checkpoint_id: str | None) -> list[BaseMessage]:
        """The graph's messages at ``checkpoint_id``."""

    async def finish_step(self, checkpoint_id: str | None) -> RunStart:
        """Keep what finished tasks had written when the step after ``checkpoint_id`` was cut."""

    async def reopen(self, question: Question, checkpoint_id: str | None) -> None:
        """Forget answers to ``question`` that a run received and that led to no checkpoint."""


class LocalGraph:
    """A graph that runs in this process, on one LangGraph thread."""

    speculates = True

    def __init__(
        self,
        graph: Pregel[Any, Any, Any, Any],
        thread_id: str,
        config: RunnableConfig,
        context: Any,
    ) -> None:
        self.thread_id = thread_id
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
        """See ``BoundGraph``."""
        return self._channels

    async def stream(
        self, graph_input: GraphInput, checkpoint_id: str | None, watch: BaseCallbackHandler
    ) -> AsyncGenerator[Part]:
        """See ``BoundGraph``.

        LangGraph reads the state twice when it is given a checkpoint, and once when it takes the
        newest. So the checkpoint is given only if another run may have written to the thread since.
        """
        config = self._at(None if self._is_newest(checkpoint_id) else checkpoint_id)
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

    def _is_newest(self, checkpoint_id: str | None) -> bool:
        """Whether ``checkpoint_id`` is certainly the newest checkpoint of the thread."""
        return checkpoint_id is not None and checkpoint_id == self._newest and not self._running

    async def root(self) -> str | None:
        """See ``BoundGraph``; written when the thread is new.

        Every run that continues no earlier run forks from it, so that a discarded first run is
        left behind like any other.
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

    async def messages(self, checkpoint_id: str | None) -> list[BaseMessage]:
        """See ``BoundGraph``."""
        state = await self._graph.aget_state(self._at(checkpoint_id))
        return _messages_of(state.values)

    async def finish_step(self, checkpoint_id: str | None) -> RunStart:
        """See ``BoundGraph``."""
        config = self._at(checkpoint_id)
        state = await self._graph.aget_state(config, subgraphs=True)
        messages = _messages_of(state.values)
        known = {message.id for message in messages}
        inner = [message for message in _inner_messages(state) if message.id not in known]
        done = [
            StateUpdate(written, task.name) for task in state.tasks for written in _writes(task)
        ]
        try:
            if done:
                updated = await self._graph.abulk_update_state(config, [done])
                checkpoint_id = _checkpoint_id(updated)
                messages = await self.messages(checkpoint_id)
        except InvalidUpdateError:
            _log.exception(
                "the writes of the tasks that finished before the cut cannot be combined"
            )
        self._newest = None
        return RunStart(checkpoint_id, messages, inner)

    async def reopen(self, question: Question, checkpoint_id: str | None) -> None:
        """See ``BoundGraph``."""
        memory = self._graph.checkpointer
        if not isinstance(memory, BaseCheckpointSaver):
            return
        config = self._at(None if question["ns"] else checkpoint_id)
        config["configurable"]["checkpoint_ns"] = question["ns"]
        saved = await memory.aget_tuple(config)
        for task, channel, answers in (saved.pending_writes or []) if saved else []:
            if task == question["task"] and channel == RESUME:
                kept = list(answers)[: question["answered"]]
                await memory.aput_writes(saved.config, [(RESUME, kept)], task)  # type: ignore[union-attr]

    def _at(self, checkpoint_id: str | None) -> RunnableConfig:
        config = RunnableConfig(**self._config)
        if self.remembers:
            here = {"thread_id": self.thread_id, "checkpoint_ns": ""}
            if checkpoint_id is not None:
                here["checkpoint_id"] = checkpoint_id
            config["configurable"] = {**config.get("configurable", {}), **here}
        return config


def writes_to(channel: str, result: object) -> list[Any]:
    """Every write to ``channel`` in a finished task's result; a functional graph's has none."""
    if isinstance(result, Mapping) and channel in result:
        return _each_write(result[channel])
    return []


def _each_write(shown: object) -> list[Any]:
    """Every write of a task to one channel; LangGraph shows several as ``{"$writes": [...]}``."""
    match shown:
        case {"$writes": list(several)}:
            return several
        case _:
            return [shown]


def _tools_of(graph: Pregel[Any, Any, Any, Any]) -> GraphTools:
    """The tools of ``graph`` and its subgraphs, as far as LangGraph's ``ToolNode`` runs them."""
    nodes, direct = set(), set()
    inner = [one for _, one in graph.get_subgraphs(recurse=True) if isinstance(one, Pregel)]
    for one in [graph, *inner]:
        for name, node in one.nodes.items():
            if isinstance(node.bound, ToolNode):
                nodes.add(name)
                tools = node.bound.tools_by_name.items()
                direct |= {tool for tool, its in tools if its.return_direct}
    return GraphTools(frozenset(nodes), frozenset(direct))


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
    """What a finished task wrote, as state updates; several writes to a channel need several."""
    updates: list[dict[str, Any]] = []
    for channel, value in (task.result or {}).items():
        for number, written in enumerate(_each_write(value)):
            if number == len(updates):
                updates.append({})
            updates[number][channel] = written
    return updates


def _messages_of(values: Any) -> list[BaseMessage]:
    """The messages in a state or in a state update; a functional graph's value has none."""
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
    """The callbacks of the user's config, and ``watch``."""
    if callbacks is None:
        return [watch]
    if isinstance(callbacks, list):
        return [*callbacks, watch]
    manager = callbacks.copy()
    manager.add_handler(watch, inherit=True)
    return manager
