"""One run of a graph, as LiveKit's stream of an LLM's answer."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langgraph.pregel.protocol import PregelProtocol
from livekit.agents import llm, utils
from livekit.agents.types import APIConnectOptions
from livekit.plugins import langchain

from lastword.bridge.answer import Answer, AnswerRules
from lastword.bridge.bound_graph import GraphInput, Part, RunStart
from lastword.bridge.chat_items import POINTER_KEY, RunPointer, event_text, graph_messages
from lastword.bridge.endings import END_CALL_TOOL, end_call_request
from lastword.bridge.observation import ModelCalls, NodeSpans, completion_usage
from lastword.bridge.questions import has_answer, resume
from lastword.bridge.thread import ConversationThread
from lastword.bridge.turn import Turn, corrections, missing_tool_answers
from lastword.events import personal
from lastword.signals import EVENT_KEY, CallEvent, Opening, speculate

_OPENING = "The call is connected. You speak first."

_log = logging.getLogger("lastword.bridge")


class GraphFellSilent(Exception):
    """The graph has finished its run without a word for the caller."""


class GraphRun(langchain.LangGraphStream[Any]):
    """One run of the graph: words as they come, then the pointer, then the ending if any.

    Args:
        adapter: the LLM that is asked; its events ``run_started``, ``run_ended`` and ``ending`` are
            emitted on it.
        graph: the graph, as the adapter was given it.
        thread: the conversation that the run is part of.
        rules: how the graph's output is read.
        chat_ctx: the chat; its newest items are the turn to answer.
        tools: the agent's tools.
        conn_options: LiveKit's.
    """

    def __init__(
        self,
        adapter: langchain.LLMAdapter[Any],
        graph: PregelProtocol[Any, Any, Any, Any],
        thread: ConversationThread,
        rules: AnswerRules,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool],
        conn_options: APIConnectOptions,
    ) -> None:
        self._thread = thread
        self._policy = rules.policy
        self._id = utils.shortuuid("run_")
        self._calls = ModelCalls()
        self._spans = NodeSpans()
        self._turn = thread.read_turn(chat_ctx)
        self._answer = Answer(self._turn, rules, calls=self._calls, tools=thread.graph.tools)
        self._kept: tuple[object, ...] = ()
        self._unsent: RunPointer | None = None
        self._sent: RunPointer | None = None
        self._tokens_reported = 0
        super().__init__(
            adapter, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options, graph=graph
        )

    async def _run(self) -> None:
        self._llm.emit("run_started", self._id)
        try:
            async with asyncio.timeout(self._policy.turn_timeout) as limit:
                speculate(partial(self._certain, limit))
                await self._follow_graph(limit)
        except Exception:  # noqa: BLE001 - a graph may raise anything; the caller is answered
            self._failed()
        finally:
            self._spans.close()
            self._llm.emit("run_ended", self._id, self._answer.pointer)
        self._finish()
        await self._report_ending()

    async def _follow_graph(self, limit: asyncio.Timeout) -> None:
        """Run the graph for the turn, and speak."""
        turn = self._turn
        # Neither can be undone when the caller goes on speaking: LangGraph writes an answer beside
        # the checkpoint that asked, and the nodes on a server cannot wait.
        if turn.questions or not self._thread.graph.speculates:
            await self._certain(limit)
        if not turn.questions:
            await self._run_graph()
        elif not has_answer(turn):
            self._speak(self._answer.ask_again())
        elif self._thread.claim(turn.questions[0]):
            try:
                await self._run_graph()
            finally:
                if not self._answer.has_advanced:
                    self._thread.release(turn.questions[0])
        else:
            self._speak(self._answer.ask_again(is_taken=True))

    async def _run_graph(self) -> None:
        start = await self._thread.prepare(self._turn)
        graph_input = await self._input(start)
        parts = self._thread.graph.stream(graph_input, start.checkpoint_id, self._calls)
        async with AsyncExitStack() as closing:
            closing.push_async_callback(parts.aclose)
            async for part in parts:
                self._take(part)
                if self._answer.is_over:
                    closing.pop_all()
                    self._thread.background.take_over(parts, self._policy.turn_timeout)
                    break
        self._speak(self._answer.finish())
        if self._answer.is_missing:
            raise GraphFellSilent

    def _take(self, part: Part) -> None:
        """Handle one item of the graph's stream."""
        if part["type"] == "tasks":
            self._spans.follow(part["data"], part["ns"])
            self._report_usage()
        elif part["type"] == "messages" and not self._thread.graph.speculates:
            self._calls.saw(*part["data"])
        self._speak(self._answer.take(part))

    async def _certain(self, limit: asyncio.Timeout) -> None:
        """Wait until the turn is certain; the graph's time limit does not run meanwhile."""
        limit.reschedule(None)
        await self._thread.turns.wait(self._turn.caller_item)
        limit.reschedule(asyncio.get_running_loop().time() + self._policy.turn_timeout)

    async def _input(self, start: RunStart) -> GraphInput:
        """The graph's input: corrections, then new messages, then the call event of the turn."""
        turn = self._turn
        changes = list(turn.respelled)
        if turn.heard or turn.broken_off:
            state = [*start.messages, *start.inner]
            is_cut = turn.broken_off and not turn.questions
            tool_answers = missing_tool_answers(state) if is_cut else []
            changes += [*start.inner, *tool_answers, *corrections(turn.heard, state)]
        if turn.questions:
            return resume(turn, changes)
        channels = await self._thread.graph.channels()
        graph_input: dict[str, Any] = {"messages": [*changes, *turn.new]}
        if not self._thread.graph.collects:
            graph_input["messages"] = graph_messages(self._chat_ctx.items)
        if "ending" in channels:
            graph_input["ending"] = None
        event = _event_of(turn, begins=not graph_input["messages"])
        if "event" in channels:
            graph_input["event"] = event
        elif event is not None:
            graph_input["messages"] = _with_event(graph_input["messages"], event, turn)
        return graph_input

    def _failed(self) -> None:
        _log.exception(
            "the graph failed",
            extra={
                "graph_nodes": self._answer.broken_nodes or self._spans.running,
                "graph_thread": self._thread.graph.thread_id,
            },
        )
        self._speak(self._answer.fail())

    def _finish(self) -> None:
        self._report_usage()
        self._keep_pointer()
        if self._unsent != self._sent:
            self._send_delta("")
        ending = self._answer.ending
        if ending is not None and self._has_end_call():
            call = end_call_request(ending, self._answer.pointer)
            self._emit(llm.ChoiceDelta(role="assistant", tool_calls=[call]))

    async def _report_ending(self) -> None:
        """Log the ending and emit it as an event when the agent has no ``end_call`` tool."""
        ending = self._answer.ending
        if ending is None or self._has_end_call():
            return
        await self._thread.turns.wait(self._turn.caller_item)
        _log.warning(
            "the graph ended the call, but the agent has no end_call tool", extra=personal(**ending)
        )
        self._llm.emit("ending", ending)

    def _has_end_call(self) -> bool:
        return END_CALL_TOOL in llm.ToolContext(self._tools).function_tools

    def _speak(self, text: str) -> None:
        if self._answer.pointer_key != self._kept:
            self._keep_pointer()
        if text or (self._sent is not None and self._unsent is not None):
            self._send_delta(text)

    def _keep_pointer(self) -> None:
        """Update the pointer, for the chat history and for a turn after an unheard run."""
        self._kept = self._answer.pointer_key
        self._unsent = pointer = self._answer.pointer
        if self._turn.item_id is not None and pointer["checkpoint_id"] is not None:
            self._thread.keep_pointer(self._turn.item_id, pointer)

    def _send_delta(self, text: str) -> None:
        """Send words, and with them the pointer if it has changed.

        An interruption keeps the pointer that was sent last. Before the first word there is no
        chat item that could carry one.
        """
        delta = llm.ChoiceDelta(role="assistant", content=text or None)
        if self._unsent is not None:
            delta.extra = {POINTER_KEY: self._unsent}
            self._sent, self._unsent = self._unsent, None
        self._emit(delta)

    def _report_usage(self) -> None:
        """Report the tokens so far to LiveKit's metrics, which keep the last report."""
        usage = self._calls.usage
        self._thread.note_model(self._calls.model, self._calls.provider)
        if usage is None or usage["total_tokens"] == self._tokens_reported:
            return
        self._tokens_reported = usage["total_tokens"]
        self._event_ch.send_nowait(llm.ChatChunk(id=self._id, usage=completion_usage(usage)))

    def _emit(self, delta: llm.ChoiceDelta) -> None:
        self._event_ch.send_nowait(llm.ChatChunk(id=self._id, delta=delta))


def _event_of(turn: Turn, *, begins: bool) -> CallEvent | None:
    """The call event of this turn; when the caller speaks, earlier events are dropped."""
    if turn.words:
        return turn.cancelled
    if turn.event is not None:
        return turn.event
    is_opening = begins and turn.checkpoint_id is None
    return Opening(kind="opening") if is_opening else turn.cancelled


def _with_event(messages: list[BaseMessage], event: CallEvent, turn: Turn) -> list[BaseMessage]:
    """``messages`` with the event, for a graph whose state has no channel for it.

    An event without words of the caller becomes a human message: several models refuse a system
    message in mid-conversation.
    """
    if event["kind"] == "opening":
        return [SystemMessage(_OPENING)]
    if event["kind"] == "ending_cancelled":
        if turn.words:
            messages[-1].additional_kwargs[EVENT_KEY] = event
        return messages
    told = HumanMessage(event_text(event), additional_kwargs={EVENT_KEY: event})
    return [*messages, told]
