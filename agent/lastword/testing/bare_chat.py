"""A chat with a graph through the bridge, turn by turn, without a LiveKit session."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from livekit.agents import llm

from lastword.bridge import GraphLLM
from lastword.bridge.chat_items import POINTER_KEY, RunPointer, call_event_item
from lastword.bridge.endings import END_CALL_TOOL
from lastword.signals import CallEvent


@llm.function_tool(name=END_CALL_TOOL, description="The graph has ended the call.")
async def _end_call(reason: str, outcome: str, source: str) -> None:
    """Offered so that the bridge puts endings into its stream, as in a call; never executed."""


@dataclass(frozen=True)
class BareAnswer:
    """The graph's answer to one turn.

    ``ending`` holds the arguments of the tool ``end_call``: reason, outcome as JSON text, source;
    None while the call goes on. ``seconds`` is the time the graph took.
    """

    said: str
    pointer: RunPointer | None
    ending: Mapping[str, Any] | None
    seconds: float


class BareChat:
    """The chat of one call; it keeps answers as LiveKit keeps those that were played in full."""

    def __init__(self, graph_llm: GraphLLM) -> None:
        self._graph_llm = graph_llm
        self._chat = llm.ChatContext.empty()

    def add(self, role: Literal["user", "assistant"], words: str) -> None:
        """Add words of the caller (``user``) or of the agent (``assistant``)."""
        self._chat.add_message(role=role, content=words)

    def happens(self, event: CallEvent) -> None:
        """Add a call event."""
        self._chat.insert(call_event_item(event))

    async def answer(self) -> BareAnswer:
        """Let the graph answer the newest items of the chat."""
        said, pointer, call = "", None, None
        began = time.perf_counter()
        stream = self._graph_llm.chat(chat_ctx=self._chat.copy(), tools=[_end_call])
        async with stream:
            async for chunk in stream:
                if chunk.delta is None:
                    continue
                said += chunk.delta.content or ""
                pointer = (chunk.delta.extra or {}).get(POINTER_KEY, pointer)
                call = next(iter(chunk.delta.tool_calls), call)
        seconds = time.perf_counter() - began
        said = said.strip()
        self._keep(said, pointer, call)
        ending = None if call is None else json.loads(call.arguments)
        return BareAnswer(said, pointer, ending, seconds)

    def cut(self, heard: str) -> None:
        """Cut the last answer to ``heard``, as LiveKit does when the caller interrupts."""
        last = next(
            item
            for item in reversed(self._chat.items)
            if isinstance(item, llm.ChatMessage) and item.role == "assistant"
        )
        last.content, last.interrupted = [heard], True

    def _keep(
        self, said: str, pointer: RunPointer | None, call: llm.FunctionToolCall | None
    ) -> None:
        if said:
            extra = {POINTER_KEY: pointer} if pointer else {}
            self._chat.add_message(role="assistant", content=said, extra=extra)
        if call is not None:
            ending = llm.FunctionCall(
                call_id=call.call_id,
                name=call.name,
                arguments=call.arguments,
                extra=call.extra or {},
            )
            self._chat.insert(ending)
