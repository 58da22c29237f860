"""A call through either adapter: a real LiveKit session, typed words, a voice without sound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from livekit.agents import Agent, AgentSession, llm
from livekit.agents.voice import SpeechHandle
from livekit.agents.voice.turn import TurnHandlingOptions
from livekit.plugins import langchain

from lastword.bridge import GraphLLM
from lastword.signals import CallPolicy
from lastword.testing.fakes.audio_output import FakeAudioOutput, FakeTTS

Graph = Pregel[Any, Any, Any, Any]
CALL = RunnableConfig(configurable={"thread_id": "call"})
POLICY = CallPolicy(apology="Sorry, once more?")
"""GraphLLM's default settings, but with a shorter apology than the default one."""


class Adapter(NamedTuple):
    """One of the two adapters, with its default settings."""

    name: str
    make: Callable[..., llm.LLM[Any]]
    """Takes the graph, ``stream_mode`` and ``policy``; upstream ignores the policy."""


def _graph_llm(graph: Graph, *, policy: CallPolicy = POLICY, **options: Any) -> GraphLLM:
    return GraphLLM(graph, policy=policy, config=CALL, **options)


def _llm_adapter(
    graph: Graph, *, policy: CallPolicy | None = None, **options: Any
) -> langchain.LLMAdapter[Any]:
    del policy
    return langchain.LLMAdapter(graph, config=CALL, **options)


UPSTREAM = Adapter("LLMAdapter", _llm_adapter)
OURS = Adapter("GraphLLM", _graph_llm)


class AdapterCall:
    """One call: what the caller says, what the caller hears, and the events of the session."""

    def __init__(self, model: llm.LLM[Any]) -> None:
        self.output = FakeAudioOutput()
        self.endings: list[dict[str, Any]] = []
        self.session: AgentSession[None] = AgentSession(
            llm=model,
            tts=FakeTTS(),
            turn_handling=TurnHandlingOptions(turn_detection=None),
        )
        self.is_closed = False
        self._errors = 0
        self._reported = 0
        self.session.on("error", self._error)
        self.session.on("close", self._closed)
        model.on("ending", self.endings.append)
        if isinstance(model, GraphLLM):
            model.follow(self.session)  # needed only outside a LiveKit job

    async def say(self, words: str, *, patience: float = 60.0) -> str:
        """Say something; returns what the caller hears, and whether the session reports an error.

        If no answer has come after ``patience`` seconds, the wait ends and the result says so. The
        result is "" if the session has closed.
        """
        try:
            speech = self._reply(words)
        except RuntimeError:  # LiveKit raises this when the session has closed
            self.is_closed = True
            return ""
        try:
            async with asyncio.timeout(patience):
                await speech
        except TimeoutError:
            speech.interrupt(force=True)
            return f"{self._outcome()}, no answer within {patience:g} s"
        return self._outcome()

    async def say_and_interrupt(self, words: str, *, heard: str) -> None:
        """Say something, and interrupt the answer after ``heard`` of it has been played."""
        self.output.hold, self.output.played_text = True, heard
        speech = self._reply(words)
        await self.output.captured.wait()
        await self.session.interrupt()
        await speech
        self.output.hold = False

    def spoken(self) -> list[str]:
        """The agent's messages in LiveKit's history: what the caller has heard."""
        return [
            item.text_content or ""
            for item in self.session.history.items
            if isinstance(item, llm.ChatMessage) and item.role == "assistant"
        ]

    def _reply(self, words: str) -> SpeechHandle:
        return self.session.generate_reply(user_input=words)

    def _outcome(self) -> str:
        new = self.spoken()[self._reported :]
        self._reported += len(new)
        errors, self._errors = self._errors, 0
        heard = " / ".join(f"“{text.strip()}”" for text in new) or "silence"
        return f"{heard}, session error" if errors else heard

    def _error(self, _event: object) -> None:
        self._errors += 1

    def _closed(self, _event: object) -> None:
        self.is_closed = True


@asynccontextmanager
async def adapter_call(model: llm.LLM[Any]) -> AsyncIterator[AdapterCall]:
    """Run a call with an adapter, which is closed at the end."""
    call = AdapterCall(model)
    call.session.output.audio = call.output
    await call.session.start(Agent(instructions=""))
    try:
        yield call
    finally:
        await call.session.aclose()
        await model.aclose()
