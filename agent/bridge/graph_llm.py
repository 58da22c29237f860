"""A LangGraph graph as the LLM of a LiveKit agent session."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any, cast, get_type_hints

from langchain_core.messages import SystemMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END
from langgraph.pregel import Pregel
from langgraph.pregel.protocol import PregelProtocol
from langgraph.types import StreamMode, StreamPart
from livekit.agents import AgentSession, ConversationItemAddedEvent, llm, utils
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
)
from livekit.plugins import langchain

from agent.bridge.certainty import CertainTurns
from agent.bridge.endings import EndingWatch, RecognisedEnding
from agent.bridge.history import POINTER_KEY, RunPointer, Turn, corrections, read_turn
from agent.bridge.speech import SpeechFilter
from graphs.call_signals import CallPolicy, is_say, speculate

END_CALL_TOOL = "end_call"
_OPENING = "The call is connected. You speak first."

_log = logging.getLogger("lastword.bridge")


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
        self.failures = 0
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
    ) -> GraphStream:
        """Run the graph for the turn at the end of ``chat_ctx``."""
        return GraphStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)

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


class GraphStream(langchain.LangGraphStream[Any]):
    """One run of the graph: words as they come, then the pointer, then the ending if any."""

    def __init__(
        self,
        graph_llm: GraphLLM,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool],
        conn_options: APIConnectOptions,
    ) -> None:
        super().__init__(
            graph_llm,
            chat_ctx=chat_ctx,
            tools=tools,
            conn_options=conn_options,
            graph=graph_llm.graph,
        )
        self._graph_llm = graph_llm
        self._id = utils.shortuuid("run_")
        self._speech = SpeechFilter(graph_llm.policy)
        self._watch = EndingWatch(graph_llm.policy)
        self._pointer: RunPointer = {
            "checkpoint_id": None,
            "spoken": [],
            "nodes": [],
            "ended": False,
        }

    async def _run(self) -> None:
        turn = read_turn(self._chat_ctx, remembers=self._graph_llm.remembers)
        base = turn.checkpoint_id or await self._graph_llm.root_checkpoint()
        config = self._graph_llm.run_config(base)
        graph_input = await self._input(turn, config)
        self._pointer["checkpoint_id"] = base
        speculate(partial(self._graph_llm.turns.wait, turn.caller_item))
        try:
            async with asyncio.timeout(self._graph_llm.policy.turn_timeout):
                async for part in self._stream(graph_input, config):
                    self._take(part)
        except Exception:  # noqa: BLE001 - whatever a graph raises, the caller is answered
            self._failed()
        else:
            self._graph_llm.failures = 0
        self._finish()

    def _failed(self) -> None:
        """Apologise and let the call go on; after too many failures in a row, end it.

        An ending that the graph decided before it failed stands.
        """
        nodes = self._pointer["nodes"]
        where = {
            "after_node": nodes[-1] if nodes else None,
            "graph_thread": self._graph_llm.thread_id,
        }
        _log.exception("the graph failed", extra=where)
        if self._watch.ending is not None:
            return
        policy = self._graph_llm.policy
        self._graph_llm.failures += 1
        if self._graph_llm.failures < policy.max_failures:
            self._send(self._speech.say(policy.apology))
        else:
            self._send(self._speech.say(policy.failure_farewell))
            self._watch.saw_too_many_failures()
            self._mark_ended()

    def _stream(
        self, graph_input: dict[str, Any], config: RunnableConfig
    ) -> AsyncIterator[StreamPart[Any, Any]]:
        graph = cast("Pregel[Any, Any, Any, Any]", self._graph_llm.graph)
        return graph.astream(
            graph_input,
            config,
            context=self._graph_llm.context,
            stream_mode=["messages", "updates", "custom", "checkpoints"],
            subgraphs=True,
            version="v2",
        )

    async def _input(self, turn: Turn, config: RunnableConfig) -> dict[str, Any]:
        """The graph's input: corrections, then what is new, then the call event of the turn."""
        messages = list(turn.new)
        if turn.heard:
            state = await self._graph_llm.graph.aget_state(config)
            messages = corrections(turn.heard, state.values.get("messages", [])) + messages
        channels = self._graph_llm.channels
        graph_input: dict[str, Any] = {"messages": messages}
        if "ending" in channels:
            graph_input["ending"] = None
        opening = not messages and turn.checkpoint_id is None
        if "event" in channels:
            graph_input["event"] = {"kind": "opening"} if opening else None
        elif opening:
            graph_input["messages"] = [SystemMessage(_OPENING)]
        return graph_input

    def _take(self, part: StreamPart[Any, Any]) -> None:
        """Handle one item of the graph's stream."""
        match part["type"]:
            case "messages":
                message, metadata = part["data"]
                self._saw_node(str(metadata.get("langgraph_node", "")))
                if self._spoken(part["ns"]) and "messages" in self._graph_llm.modes:
                    self._send(self._speech.message(message, metadata))
            case "updates":
                self._saw_updates(part["data"])
            case "custom":
                self._saw_custom(part["data"])
            case "checkpoints" if not part["ns"]:
                self._saw_checkpoint(part["data"]["config"] or {})
            case _:
                pass

    def _spoken(self, namespace: tuple[str, ...]) -> bool:
        return self._graph_llm.subgraphs or not namespace

    def _saw_node(self, node: str) -> None:
        self._watch.saw_node(node)
        self._mark_ended()

    def _saw_checkpoint(self, config: RunnableConfig) -> None:
        checkpoint_id = config.get("configurable", {}).get("checkpoint_id")
        if checkpoint_id is not None:
            self._pointer["checkpoint_id"] = checkpoint_id
            self._send_pointer()

    def _saw_updates(self, data: Mapping[str, Any]) -> None:
        if "__interrupt__" in data:
            self._watch.saw_interrupt()
            return
        self._pointer["nodes"].extend(node for node in data if not node.startswith("__"))
        self._watch.saw_update(data)
        self._mark_ended()

    def _saw_custom(self, event: object) -> None:
        self._watch.saw_custom(event)
        if is_say(event):
            self._send(self._speech.say(event["text"]))
        elif "custom" in self._graph_llm.modes:
            self._send(self._speech.say(_upstream_text(event)))
        self._mark_ended()

    def _mark_ended(self) -> None:
        """Keep the state before an end node, for a caller who stops the ending."""
        ending = self._watch.ending
        if ending is None or self._pointer["ended"]:
            return
        self._pointer["ended"] = True
        checkpoint_id = self._pointer["checkpoint_id"]
        if ending["source"] == "node" and checkpoint_id is not None:
            self._pointer["before_end"] = checkpoint_id

    def _send(self, text: str) -> None:
        if self._speech.token_node is not None:
            self._watch.saw_token(self._speech.token_node)
            self._mark_ended()
        if len(self._speech.messages) > len(self._pointer["spoken"]):
            self._pointer["spoken"] = [
                (part.message_id, part.start) for part in self._speech.messages
            ]
            self._send_pointer()
        if text:
            self._emit(llm.ChoiceDelta(role="assistant", content=text))

    def _send_pointer(self) -> None:
        """Keep the history's pointer new: an interruption takes what has been sent so far."""
        pointer = dict(self._pointer, nodes=list(self._pointer["nodes"]))
        self._emit(llm.ChoiceDelta(role="assistant", extra={POINTER_KEY: pointer}))

    def _finish(self) -> None:
        self._send(self._speech.flush())
        self._send_pointer()
        ending = self._watch.ending
        if ending is None:
            return
        if END_CALL_TOOL not in llm.ToolContext(self._tools).function_tools:
            _log.warning(
                "the graph ended the call, but the agent has no end_call tool", extra=ending
            )
            return
        self._emit(llm.ChoiceDelta(role="assistant", tool_calls=[self._end_call(ending)]))

    def _end_call(self, ending: RecognisedEnding) -> llm.FunctionToolCall:
        arguments = {
            "reason": ending["reason"],
            "outcome": json.dumps(ending.get("outcome")),
            "source": ending["source"],
        }
        return llm.FunctionToolCall(
            name=END_CALL_TOOL,
            arguments=json.dumps(arguments),
            call_id=utils.shortuuid("end_"),
            extra={POINTER_KEY: dict(self._pointer)},
        )

    def _emit(self, delta: llm.ChoiceDelta) -> None:
        self._event_ch.send_nowait(llm.ChatChunk(id=self._id, delta=delta))


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


def _upstream_text(event: object) -> str:
    """Text of a custom event as upstream's adapter speaks it: a string, or its ``content``."""
    match event:
        case str(text) | {"content": str(text)}:
            return text
        case _:
            return ""
