"""Calls whose caller says nothing: limits, a graph that receives the events, and the farewell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.graph import START, StateGraph
from langgraph.pregel import Pregel

from lastword.hangup.call_end import CallEnd
from lastword.signals import CallPolicy, CallState, end_call
from lastword.testing.fakes.stt import FakeSTT, fake_voices
from tests.fakes.phone import Phone, phone_call

QUIET = 0.5
POLICY = CallPolicy(first_speaker="caller", tail=0, silence_timeout=QUIET)
SHORT = CallPolicy(
    first_speaker="caller",
    tail=0,
    silence_timeout=None,
    turn_timeout=0.8,
    max_duration=1.6,
    limit_warning=1.2,
)
HASTY = replace(POLICY, silence_reminders=0)
SILENT = CallEnd("limit", "silence")


class Listener:
    """A graph that records its events and gives scripted answers.

    Args:
        words: the answer to an event; ``None`` for no answer.
        ends: the reason with which it ends the call at the first event.
        pause: awaited before it answers words.
    """

    def __init__(
        self, words: str | None = "Hello?", ends: str | None = None, pause: Any = None
    ) -> None:
        self.heard: list[Any] = []
        self.remembered: list[list[str]] = []
        """The kinds of the messages in the state at each event."""
        self._words, self._ends, self._pause = words, ends, pause

    async def _listen(self, state: CallState) -> dict[str, Any]:
        event = state.get("event")
        if event is None:
            if self._pause is not None:
                await self._pause()
            return {"messages": [AIMessage("I see.")]}
        self.heard.append(event)
        self.remembered.append([message.type for message in state["messages"]])
        if self._ends is not None:
            end_call(self._ends)
        return {"messages": [] if self._words is None else [AIMessage(self._words)]}

    def graph(self, **options: Any) -> Pregel[Any, Any, Any, Any]:
        builder: StateGraph[Any, Any, Any, Any] = StateGraph(CallState)
        builder.add_node("listen", self._listen)
        builder.add_edge(START, "listen")
        return builder.compile(**options)


@asynccontextmanager
async def silence_farewell(
    policy: CallPolicy, listener: Listener, ears: FakeSTT
) -> AsyncIterator[Phone]:
    """Yield a call with a silent caller in which the farewell has started and its audio is held."""
    voices = fake_voices(ears, preemptive=False)
    async with phone_call(listener.graph(), policy, voices=voices) as phone:
        phone.mouth.hold, phone.mouth.played_text = True, "I cannot hear you,"
        await phone.events.until("ending")
        await phone.mouth.captured.wait()
        yield phone
