"""One run of a graph, as LiveKit's stream of an LLM's answer."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import SystemMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import StreamPart
from livekit.agents import llm, utils
from livekit.agents.types import APIConnectOptions
from livekit.plugins import langchain

from agent.bridge.endings import EndingWatch, RecognisedEnding
from agent.bridge.history import POINTER_KEY, RunPointer, Turn, corrections, read_turn
from agent.bridge.speech import SpeechFilter
from graphs.call_signals import is_say, speculate

if TYPE_CHECKING:
    from langgraph.pregel import Pregel

    from agent.bridge.graph_llm import GraphLLM

END_CALL_TOOL = "end_call"
_OPENING = "The call is connected. You speak first."

_log = logging.getLogger("lastword.bridge")


class GraphRun(langchain.LangGraphStream[Any]):
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
        self._checkpoint_id: str | None = None
        self._before_end: str | None = None
        self._nodes: list[str] = []
        self._failures = 0
        self._messages_told = 0

    async def _run(self) -> None:
        turn = read_turn(self._chat_ctx, remembers=self._graph_llm.remembers)
        speculate(partial(self._graph_llm.turns.wait, turn.caller_item))
        try:
            async with asyncio.timeout(self._graph_llm.policy.turn_timeout):
                async for part in await self._start(turn):
                    self._take(part)
        except Exception:  # noqa: BLE001 - whatever a graph raises, the caller is answered
            self._failed(turn.failures + 1)
        self._finish()

    def _failed(self, failures: int) -> None:
        """Apologise and let the call go on; after too many failures in a row, end it.

        An ending that the graph decided before it failed stands, but not that of an end node that
        did not come to its own end. Failures are counted in the history, so a discarded run's
        count for nothing.
        """
        self._watch.saw_failure()
        self._failures = failures
        where = {
            "after_node": self._nodes[-1] if self._nodes else None,
            "graph_thread": self._graph_llm.thread_id,
        }
        _log.exception("the graph failed", extra=where)
        if self._watch.ending is not None:
            return
        policy = self._graph_llm.policy
        if failures < policy.max_failures:
            self._send(self._speech.say(policy.apology))
        else:
            self._send(self._speech.say(policy.failure_farewell))
            self._watch.saw_too_many_failures()

    async def _start(self, turn: Turn) -> AsyncIterator[StreamPart[Any, Any]]:
        """Start the graph from the state that the turn continues."""
        base = turn.checkpoint_id or await self._graph_llm.root_checkpoint()
        config = self._graph_llm.run_config(base)
        graph = cast("Pregel[Any, Any, Any, Any]", self._graph_llm.graph)
        return graph.astream(
            await self._input(turn, config),
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
        self._keep_before_end()

    def _saw_checkpoint(self, config: RunnableConfig) -> None:
        checkpoint_id = config.get("configurable", {}).get("checkpoint_id")
        if checkpoint_id is not None:
            self._checkpoint_id = checkpoint_id
            self._send_pointer()

    def _saw_updates(self, data: Mapping[str, Any]) -> None:
        if "__interrupt__" in data:
            self._watch.saw_interrupt()
            return
        self._nodes.extend(node for node in data if not node.startswith("__"))
        self._watch.saw_update(data)
        self._keep_before_end()

    def _saw_custom(self, event: object) -> None:
        self._watch.saw_custom(event)
        if is_say(event):
            self._send(self._speech.say(event["text"]))
        elif "custom" in self._graph_llm.modes:
            self._send(self._speech.say(_upstream_text(event)))

    def _keep_before_end(self) -> None:
        """Keep the state before an end node, for a caller who stops the ending."""
        if self._before_end is None and self._ended_by_node():
            self._before_end = self._checkpoint_id

    def _ended_by_node(self) -> bool:
        ending = self._watch.ending
        return ending is not None and ending["source"] == "node"

    def _send(self, text: str) -> None:
        if self._speech.token_node is not None:
            self._watch.saw_token(self._speech.token_node)
        if len(self._speech.messages) > self._messages_told:
            self._messages_told = len(self._speech.messages)
            self._send_pointer()
        if text:
            self._emit(llm.ChoiceDelta(role="assistant", content=text))

    def _send_pointer(self) -> None:
        """Keep the history's pointer new: an interruption takes what has been sent so far."""
        self._emit(llm.ChoiceDelta(role="assistant", extra={POINTER_KEY: self._pointer()}))

    def _pointer(self) -> RunPointer:
        """What the run leaves in the history as it stands now."""
        pointer = RunPointer(
            checkpoint_id=self._checkpoint_id,
            spoken=[(part.message_id, part.start) for part in self._speech.messages],
            nodes=list(self._nodes),
            ended=self._watch.ending is not None,
            failures=self._failures,
        )
        if self._before_end is not None and self._ended_by_node():
            pointer["before_end"] = self._before_end
        return pointer

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
            "outcome": _json(ending.get("outcome")),
            "source": ending["source"],
        }
        return llm.FunctionToolCall(
            name=END_CALL_TOOL,
            arguments=json.dumps(arguments),
            call_id=utils.shortuuid("end_"),
            extra={POINTER_KEY: self._pointer()},
        )

    def _emit(self, delta: llm.ChoiceDelta) -> None:
        self._event_ch.send_nowait(llm.ChatChunk(id=self._id, delta=delta))


def _json(outcome: object) -> str:
    """An outcome as JSON; what JSON does not know becomes its text, so that no ending is lost."""
    try:
        return json.dumps(outcome, default=str)
    except (TypeError, ValueError):
        _log.exception("the ending's outcome is no JSON and is left out")
        return "null"


def _upstream_text(event: object) -> str:
    """Text of a custom event as upstream's adapter speaks it: a string, or its ``content``."""
    match event:
        case str(text) | {"content": str(text)}:
            return text
        case _:
            return ""
