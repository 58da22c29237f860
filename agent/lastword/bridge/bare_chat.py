"""A chat with a graph through the bridge, turn by turn, with no LiveKit session around it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from livekit.agents import llm

from lastword.bridge.graph_llm import GraphLLM
from lastword.bridge.history import call_event
from lastword.bridge.run_pointer import POINTER_KEY, RunPointer
from lastword.bridge.tool_call import END_CALL_TOOL
from lastword.signals import CallEvent


@llm.function_tool(name=END_CALL_TOOL, description="The graph has ended the call.")
async def _end_call(reason: str, outcome: str, source: str) -> None:
    """Stands for the tool of a call, so that the ending comes in the stream; nobody runs it."""


@dataclass(frozen=True)
class BareAnswer:
    """The graph's answer to one turn.

    ``ending`` has the ``end_call`` tool's arguments: reason, outcome as JSON text, source (None:
    the call goes on); ``seconds`` is how long the graph took.
    """

    said: str
    pointer: RunPointer | None
    ending: Mapping[str, Any] | None
    seconds: float


class BareChat:
    """The chat of one call; what is answered is kept as LiveKit keeps it when it has been heard."""

    def __init__(self, graph_llm: GraphLLM) -> None:
        self._graph_llm = graph_llm
        self._chat = llm.ChatContext.empty()

    def add(self, role: Literal["user", "assistant"], words: str) -> None:
        """Somebody says something."""
        self._chat.add_message(role=role, content=words)

    def happens(self, event: CallEvent) -> None:
        """Something happens to the call."""
        self._chat.insert(call_event(event))

    async def answer(self) -> BareAnswer:
        """Let the graph answer what stands at the end of the chat."""
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
        """The caller has heard no more than this of the last answer."""
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
