"""A graph that runs on a LangGraph server, behind a URL, bound to the thread of one call."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, cast

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage, messages_from_dict
from langchain_core.runnables import RunnableConfig
from langgraph.pregel.remote import RemoteGraph

from lastword.bridge.bound_graph import (
    CHANNELS,
    MODES,
    GraphInput,
    GraphTools,
    Part,
    RunStart,
)
from lastword.bridge.chat_items import Question


class ServerGraph:
    """A graph on a LangGraph server, on one thread there.

    Its nodes cannot wait for a turn to be certain (the server runs them on its own), so a run
    begins only then. The server requires a UUID as the name of a thread: any other ``thread_id`` is
    mapped to a UUID, always to the same one.
    """

    remembers = True
    speculates = False
    collects = True
    tools = GraphTools()

    def __init__(
        self, graph: RemoteGraph, thread_id: str, config: RunnableConfig, context: Any
    ) -> None:
        self.thread_id = _as_uuid(thread_id)
        self._graph = graph
        self._config = config
        self._context = context
        self._channels: frozenset[str] | None = None

    async def channels(self) -> frozenset[str]:
        """See ``BoundGraph``; the server is asked once."""
        if self._channels is None:
            client = self._graph.client
            if client is None:
                raise TypeError("a RemoteGraph needs its asynchronous client: give it a url")
            name = self._graph.assistant_id
            known = await client.assistants.search(graph_id=name, limit=1)
            schemas = await client.assistants.get_schemas(
                known[0]["assistant_id"] if known else name
            )
            state: Mapping[str, Any] = schemas.get("state_schema") or {}
            self._channels = _described_channels(state.get("properties", {}))
        return self._channels

    async def stream(
        self,
        graph_input: GraphInput,
        checkpoint_id: str | None,
        watch: BaseCallbackHandler,  # noqa: ARG002 - a server does not call handlers
    ) -> AsyncGenerator[Part]:
        """See ``BoundGraph``; a run whose stream is closed here is cancelled on the server."""
        stream = self._graph.astream(
            graph_input,
            self._at(checkpoint_id),
            context=self._context,
            stream_mode=MODES,
            subgraphs=True,
            version="v2",
            on_disconnect="cancel",
            multitask_strategy="interrupt",
        )
        async with aclosing(cast("AsyncGenerator[Part]", stream)) as parts:
            async for part in parts:
                if part["type"] == "messages":
                    message, metadata = part["data"]
                    part["data"] = (_as_message(message), metadata)  # type: ignore[typeddict-item]
                yield part

    async def root(self) -> str | None:
        """See ``BoundGraph``: a first run is never discarded, so it needs no root."""
        return None

    async def messages(self, checkpoint_id: str | None) -> list[BaseMessage]:
        """See ``BoundGraph``."""
        state = await self._graph.aget_state(self._at(checkpoint_id))
        found = state.values.get("messages", []) if isinstance(state.values, dict) else []
        return [_as_message(message) for message in found]

    async def finish_step(self, checkpoint_id: str | None) -> RunStart:
        """See ``BoundGraph``; a server does not report what the finished tasks had written."""
        return RunStart(checkpoint_id, await self.messages(checkpoint_id), [])

    async def reopen(self, question: Question, checkpoint_id: str | None) -> None:
        """See ``BoundGraph``; not possible on a server, so nothing is done."""

    def _at(self, checkpoint_id: str | None) -> RunnableConfig:
        here = {"thread_id": self.thread_id}
        if checkpoint_id is not None:
            here |= {"checkpoint_id": checkpoint_id, "checkpoint_ns": ""}
        config = RunnableConfig(**self._config)
        config["configurable"] = {**config.get("configurable", {}), **here}
        return config


def _described_channels(properties: Mapping[str, Any]) -> frozenset[str]:
    """The channels of ``CHANNELS`` in a server's JSON schema of the state."""
    return frozenset(
        name
        for name, kind in CHANNELS.items()
        if f'"#/$defs/{kind.__name__}"' in json.dumps(properties.get(name))
    )


def _as_uuid(thread_id: str) -> str:
    try:
        return str(uuid.UUID(thread_id))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"lastword:{thread_id}"))


def _as_message(message: Any) -> BaseMessage:
    """A message as a server sends it, as LangChain's own class."""
    if isinstance(message, BaseMessage):
        return message
    [known] = messages_from_dict([{"type": message["type"], "data": message}])
    return known
