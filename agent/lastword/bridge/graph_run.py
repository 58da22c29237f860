"""One run of a graph, as LiveKit's stream of an LLM's answer."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from livekit.agents import llm, utils
from livekit.agents.types import APIConnectOptions
from livekit.plugins import langchain

from lastword.bridge.answer import Answer
from lastword.bridge.corrections import corrections, stand_ins
from lastword.bridge.history import Turn, event_text, messages_of
from lastword.bridge.model_calls import ModelCalls, completion_usage
from lastword.bridge.node_spans import NodeSpans
from lastword.bridge.questions import has_answer, resume
from lastword.bridge.run_pointer import POINTER_KEY, RunPointer
from lastword.bridge.thread import CutStep, GraphInput, Part
from lastword.bridge.tool_call import END_CALL_TOOL, end_call
from lastword.events import personal
from lastword.signals import EVENT_KEY, CallEvent, Opening, speculate

if TYPE_CHECKING:
    from lastword.bridge.graph_llm import GraphLLM

_OPENING = "The call is connected. You speak first."

_log = logging.getLogger("lastword.bridge")


class GraphFellSilent(Exception):
    """The graph has come to the end of its run without a word for the caller."""


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
        self._graph_llm = graph_llm
        self._thread = graph_llm.thread
        self._id = utils.shortuuid("run_")
        self._calls = ModelCalls()
        self._spans = NodeSpans()
        self._turn = graph_llm.read_turn(chat_ctx)
        self._answer = Answer(
            self._turn,
            graph_llm.policy,
            modes=graph_llm.modes,
            subgraphs=graph_llm.subgraphs,
            calls=self._calls,
            tools=graph_llm.thread.tools,
        )
        self._kept: tuple[object, ...] = ()
        self._untold: RunPointer | None = None
        self._told: RunPointer | None = None
        self._tokens_told = 0
        super().__init__(
            graph_llm,
            chat_ctx=chat_ctx,
            tools=tools,
            conn_options=conn_options,
            graph=graph_llm.graph,
        )

    async def _run(self) -> None:
        self._graph_llm.emit("run_started", self._id)
        try:
            async with asyncio.timeout(self._graph_llm.policy.turn_timeout) as limit:
                speculate(partial(self._certain, limit))
                await self._follow_graph(limit)
        except Exception:  # noqa: BLE001 - whatever a graph raises, the caller is answered
            self._failed()
        finally:
            self._spans.close()
            self._graph_llm.emit("run_ended", self._id, self._answer.pointer)
        self._finish()
        await self._tell_ending()

    async def _follow_graph(self, limit: asyncio.Timeout) -> None:
        """Run the graph for the turn, and speak."""
        turn = self._turn
        # LangGraph writes an answer beside the checkpoint that asked, and a server runs nodes that
        # cannot wait: neither can be taken back when the caller goes on speaking.
        if turn.questions or not self._thread.speculates:
            await self._certain(limit)
        if not turn.questions:
            await self._run_graph()
        elif not has_answer(turn):
            self._send(self._answer.ask_again())
        elif self._graph_llm.claim(turn.questions[0]):
            try:
                await self._run_graph()
            finally:
                if not self._answer.came_further:
                    self._graph_llm.disclaim(turn.questions[0])
        else:
            self._send(self._answer.ask_again(is_taken=True))

    async def _run_graph(self) -> None:
        turn, thread, late_work = self._turn, self._thread, self._graph_llm.late_work
        await late_work.done()
        base = turn.checkpoint_id or await thread.root()
        if turn.questions:
            await thread.reopen(turn.questions[0], base)
        if turn.broken_off and not turn.questions:
            step = await thread.finish_step(base)
        else:
            step = CutStep(base, await thread.messages(base) if turn.heard else [], [])
        parts = thread.stream(await self._input(step), step.base, self._calls)
        async with AsyncExitStack() as closing:
            closing.push_async_callback(parts.aclose)
            async for part in parts:
                self._take(part)
                if self._answer.is_over:
                    closing.pop_all()
                    late_work.take_over(parts, self._graph_llm.policy.turn_timeout)
                    break
        self._send(self._answer.finish())
        if self._answer.is_missing:
            raise GraphFellSilent

    def _take(self, part: Part) -> None:
        """Handle one item of the graph's stream."""
        if part["type"] == "tasks":
            self._spans.follow(part["data"], part["ns"])
            self._tell_usage()
        elif part["type"] == "messages" and not self._thread.speculates:
            self._calls.saw(*part["data"])
        self._send(self._answer.take(part))

    async def _certain(self, limit: asyncio.Timeout) -> None:
        """Wait until the turn is certain; how long the caller speaks is not the graph's time."""
        limit.reschedule(None)
        await self._graph_llm.turns.wait(self._turn.caller_item)
        limit.reschedule(asyncio.get_running_loop().time() + self._graph_llm.policy.turn_timeout)

    async def _input(self, step: CutStep) -> GraphInput:
        """The graph's input: corrections, then what is new, then the call event of the turn."""
        turn = self._turn
        changes = list(turn.respelled)
        if turn.heard or turn.broken_off:
            state = [*step.messages, *step.inner]
            left_over = [] if turn.questions or not turn.broken_off else stand_ins(state)
            changes += [*step.inner, *left_over, *corrections(turn.heard, state)]
        if turn.questions:
            return resume(turn, changes)
        channels = await self._thread.channels()
        graph_input: dict[str, Any] = {"messages": [*changes, *turn.new]}
        if not self._thread.collects:
            graph_input["messages"] = messages_of(self._chat_ctx.items)
        if "ending" in channels:
            graph_input["ending"] = None
        happened = _happened(turn, begins=not graph_input["messages"])
        if "event" in channels:
            graph_input["event"] = happened
        elif happened is not None:
            graph_input["messages"] = _with_event(graph_input["messages"], happened, turn)
        return graph_input

    def _failed(self) -> None:
        _log.exception(
            "the graph failed",
            extra={
                "graph_nodes": self._answer.broken_nodes or self._spans.running,
                "graph_thread": self._thread.id,
            },
        )
        self._send(self._answer.fail())

    def _finish(self) -> None:
        self._tell_usage()
        self._keep_pointer()
        if self._untold != self._told:
            self._tell("")
        ending = self._answer.ending
        if ending is not None and self._has_end_call():
            call = end_call(ending, self._answer.pointer)
            self._emit(llm.ChoiceDelta(role="assistant", tool_calls=[call]))

    async def _tell_ending(self) -> None:
        """Without LiveKit's tool to hand it to, an ending is logged, and emitted as an event."""
        ending = self._answer.ending
        if ending is None or self._has_end_call():
            return
        await self._graph_llm.turns.wait(self._turn.caller_item)
        _log.warning(
            "the graph ended the call, but the agent has no end_call tool", extra=personal(**ending)
        )
        self._graph_llm.emit("ending", ending)

    def _has_end_call(self) -> bool:
        return END_CALL_TOOL in llm.ToolContext(self._tools).function_tools

    def _send(self, text: str) -> None:
        if self._answer.landmark != self._kept:
            self._keep_pointer()
        if text or (self._told is not None and self._untold is not None):
            self._tell(text)

    def _keep_pointer(self) -> None:
        """Keep the pointer new for the history, and for a turn after a run that nobody heard."""
        self._kept = self._answer.landmark
        self._untold = pointer = self._answer.pointer
        if self._turn.item_id is not None and pointer["checkpoint_id"] is not None:
            self._graph_llm.answered(self._turn.item_id, pointer)

    def _tell(self, text: str) -> None:
        """Send words, and with them the history's pointer if it is new.

        An interruption takes what has been sent so far; before the first word there is no item of
        the history that could carry it.
        """
        delta = llm.ChoiceDelta(role="assistant", content=text or None)
        if self._untold is not None:
            delta.extra = {POINTER_KEY: self._untold}
            self._told, self._untold = self._untold, None
        self._emit(delta)

    def _tell_usage(self) -> None:
        """Tell LiveKit's metrics the tokens so far; it keeps the last that it was told."""
        usage = self._calls.usage
        self._graph_llm.asked(self._calls.model, self._calls.provider)
        if usage is None or usage["total_tokens"] == self._tokens_told:
            return
        self._tokens_told = usage["total_tokens"]
        self._event_ch.send_nowait(llm.ChatChunk(id=self._id, usage=completion_usage(usage)))

    def _emit(self, delta: llm.ChoiceDelta) -> None:
        self._event_ch.send_nowait(llm.ChatChunk(id=self._id, delta=delta))


def _happened(turn: Turn, *, begins: bool) -> CallEvent | None:
    """The event of this turn; a caller who speaks is answered, whatever had happened before."""
    if turn.words:
        return turn.cancelled
    if turn.event is not None:
        return turn.event
    is_opening = begins and turn.checkpoint_id is None
    return Opening(kind="opening") if is_opening else turn.cancelled


def _with_event(messages: list[BaseMessage], event: CallEvent, turn: Turn) -> list[BaseMessage]:
    """Tell a graph that has no channel for events.

    An event without words is a human message: models refuse system messages in mid-conversation.
    """
    if event["kind"] == "opening":
        return [SystemMessage(_OPENING)]
    if event["kind"] == "ending_cancelled":
        if turn.words:
            messages[-1].additional_kwargs[EVENT_KEY] = event
        return messages
    told = HumanMessage(event_text(event), additional_kwargs={EVENT_KEY: event})
    return [*messages, told]
