"""A LangGraph graph as the LLM of a LiveKit agent session."""

from __future__ import annotations

import asyncio
from typing import Any, get_type_hints

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END
from langgraph.pregel import Pregel
from langgraph.pregel.protocol import PregelProtocol
from langgraph.types import StreamMode
from livekit.agents import AgentSession, ConversationItemAddedEvent, llm, utils
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
)
from livekit.plugins import langchain

from agent.bridge.certainty import CertainTurns
from agent.bridge.graph_run import GraphRun
from graphs.call_signals import CallPolicy


class GraphLLM(langchain.LLMAdapter[Any]):
    """Speaks a graph through LiveKit; takes the place of ``livekit.plugins.langchain.LLMAdapter``.

    With a checkpointer on the graph, a turn sends only what is new, and continues from the
    checkpoint of the run that was really spoken: a discarded speculative run leaves no trace, and
    an interrupted answer is cut to what was heard. Without one, the whole history is sent.

    An ending is put into the chat stream as a call of LiveKit's tool ``end_call`` when the agent
    has such a tool; otherwise it is logged.

    Args:
        graph: a compiled graph whose state has ``messages``.
        policy: how endings are recognised and what is spoken.
        config: merged into the config of every run; a ``thread_id`` in it is kept.
        context: LangGraph's runtime context of every run.
        subgraphs: also speak the output of subgraphs (endings are always found in them).
        stream_mode: as upstream: which of "messages" and "custom" is spoken.
    """

    def __init__(
        self,
        graph: PregelProtocol[Any, Any, Any, Any],
        *,
        policy: CallPolicy | None = None,
        config: RunnableConfig | None = None,
        context: Any = None,
        subgraphs: bool = True,
        stream_mode: StreamMode | list[StreamMode] = "messages",
    ) -> None:
        super().__init__(
            graph, config=config, context=context, subgraphs=subgraphs, stream_mode=stream_mode
        )
        self.graph = graph
        self.policy = policy or CallPolicy()
        self.context = context
        self.subgraphs = subgraphs
        self.modes = {stream_mode} if isinstance(stream_mode, str) else set(stream_mode)
        self.channels = _call_channels(graph)
        self.remembers = isinstance(graph, Pregel) and graph.checkpointer not in (None, False)
        self.turns = CertainTurns()
        self._base_config = config or {}
        self._thread_id = self._configurable().get("thread_id") or utils.shortuuid("call_")
        self._root: str | None = None
        self._root_lock = asyncio.Lock()

    @property
    def thread_id(self) -> str:
        """LangGraph's thread of this call."""
        return self._thread_id

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,  # noqa: ARG002 - the graph runs its tools
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,  # noqa: ARG002
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,  # noqa: ARG002
    ) -> GraphRun:
        """Run the graph for the turn at the end of ``chat_ctx``."""
        return GraphRun(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)

    def follow(self, session: AgentSession[Any]) -> None:
        """Let ``graphs.call_signals.turn_certain`` wait for what ``session`` really adopts.

        Without it nothing waits, and a speculative run may have lasting effects.
        """

        def added(event: ConversationItemAddedEvent) -> None:
            if isinstance(event.item, llm.ChatMessage):
                self.turns.confirm(event.item.id)

        self.turns.followed = True
        session.on("conversation_item_added", added)

    def run_config(self, checkpoint_id: str | None) -> RunnableConfig:
        """Config of a run that continues from ``checkpoint_id``."""
        config = RunnableConfig(**self._base_config)
        if not self.remembers:
            return config
        here = {"thread_id": self._thread_id, "checkpoint_ns": ""}
        if checkpoint_id is not None:
            here["checkpoint_id"] = checkpoint_id
        config["configurable"] = {**self._configurable(), **here}
        return config

    async def root_checkpoint(self) -> str | None:
        """The state that the call began with; made when the thread is new.

        Every run that has no earlier run to continue forks from it, so that a discarded first
        run is left behind like any other.
        """
        if not self.remembers:
            return None
        async with self._root_lock:
            if self._root is None:
                config = self.run_config(None)
                found = (await self.graph.aget_state(config)).config
                if "checkpoint_id" not in found.get("configurable", {}):
                    found = await self.graph.aupdate_state(config, None, as_node=END)
                self._root = found["configurable"]["checkpoint_id"]
            return self._root

    def _configurable(self) -> dict[str, Any]:
        configurable: dict[str, Any] = self._base_config.get("configurable", {})
        return configurable


def _call_channels(graph: object) -> frozenset[str]:
    """Which of the contract's channels the graph's state has.

    They are known by name and type: another project's ``event`` channel is not ours to write.
    """
    schema = getattr(getattr(graph, "builder", None), "state_schema", None)
    if not isinstance(schema, type):
        return frozenset()
    hints = get_type_hints(schema)
    ours = {"event": "CallEvent", "ending": "Ending"}
    return frozenset(name for name, kind in ours.items() if kind in str(hints.get(name)))
