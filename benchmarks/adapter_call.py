"""A call by either adapter: a real LiveKit session, typed words, a voice without sound."""

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
"""GraphLLM's default settings but for the apology, which is longer."""


class Adapter(NamedTuple):
    """One of the two, with its default settings."""

    name: str
    make: Callable[..., llm.LLM[Any]]
    """Takes the graph, ``stream_mode``, and a ``policy``, which upstream knows nothing of."""


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
    """One call: what the caller says, and what comes of it."""

    def __init__(self, model: llm.LLM[Any]) -> None:
        self.mouth = FakeAudioOutput()
        self.endings: list[dict[str, Any]] = []
        self.session: AgentSession[None] = AgentSession(
            llm=model,
            tts=FakeTTS(),
            turn_handling=TurnHandlingOptions(turn_detection=None),
        )
        self.is_closed = False
        self._errors = 0
        self._told = 0
        self.session.on("error", self._error)
        self.session.on("close", self._closed)
        model.on("ending", self.endings.append)
        if isinstance(model, GraphLLM):
            model.follow(self.session)  # in a LiveKit job it does that by itself

    async def say(self, words: str, *, patience: float = 60.0) -> str:
        """Say something; returns what the caller hears, and whether the session tells an error.

        An answer that has not come after ``patience`` seconds is given up; it is "" when the
        session takes no more words.
        """
        try:
            speech = self._reply(words)
        except RuntimeError:  # LiveKit's way to say that the session has closed
            self.is_closed = True
            return ""
        try:
            async with asyncio.timeout(patience):
                await speech
        except TimeoutError:
            speech.interrupt(force=True)
            return f"{self._outcome()}, for as long as we waited ({patience:g} s)"
        return self._outcome()

    async def say_and_interrupt(self, words: str, *, heard: str) -> None:
        """Say something, and speak over the answer when so much of it has been heard."""
        self.mouth.hold, self.mouth.played_text = True, heard
        speech = self._reply(words)
        await self.mouth.captured.wait()
        await self.session.interrupt()
        await speech
        self.mouth.hold = False

    def spoken(self) -> list[str]:
        """Everything that was heard, as it stands in LiveKit's history."""
        return [
            item.text_content or ""
            for item in self.session.history.items
            if isinstance(item, llm.ChatMessage) and item.role == "assistant"
        ]

    def _reply(self, words: str) -> SpeechHandle:
        return self.session.generate_reply(user_input=words)

    def _outcome(self) -> str:
        new = self.spoken()[self._told :]
        self._told += len(new)
        errors, self._errors = self._errors, 0
        heard = " / ".join(f"“{text.strip()}”" for text in new) or "silence"
        return f"{heard}, session error" if errors else heard

    def _error(self, _event: object) -> None:
        self._errors += 1

    def _closed(self, _event: object) -> None:
        self.is_closed = True


@asynccontextmanager
async def adapter_call(model: llm.LLM[Any]) -> AsyncIterator[AdapterCall]:
    """Make a call with an adapter."""
    call = AdapterCall(model)
    call.session.output.audio = call.mouth
    await call.session.start(Agent(instructions=""))
    try:
        yield call
    finally:
        await call.session.aclose()
        await model.aclose()
