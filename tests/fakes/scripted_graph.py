"""Small graphs with scripted answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from pydantic import Field


class ScriptedModel(BaseChatModel):
    """Streams its answers in the given chunks, one answer per call; a further call is an error.

    ``pause`` is awaited before each chunk. The usage is one output token per chunk and one input
    token per message of the request.
    """

    answers: list[Sequence[str]]
    calls: list[list[BaseMessage]] = Field(default_factory=list)
    pause: Callable[[], Awaitable[None]] | None = None

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _next(self, messages: list[BaseMessage]) -> Sequence[str]:
        self.calls.append(messages)
        if len(self.calls) > len(self.answers):
            raise AssertionError(f"the script has {len(self.answers)} answers, no more")
        return self.answers[len(self.calls) - 1]

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        text = "".join(self._next(messages))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        chunks = self._next(messages)
        usage = UsageMetadata(input_tokens=len(messages), output_tokens=len(chunks), total_tokens=0)
        usage["total_tokens"] = usage["input_tokens"] + usage["output_tokens"]
        for number, chunk in enumerate(chunks, 1):
            if self.pause is not None:
                await self.pause()
            cost = usage if number == len(chunks) else None
            part = ChatGenerationChunk(message=AIMessageChunk(content=chunk, usage_metadata=cost))
            if run_manager is not None:
                await run_manager.on_llm_new_token(chunk, chunk=part)
            yield part

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        raise NotImplementedError("graphs are run asynchronously")


class AgentModel(BaseChatModel):
    """Answers with whole messages, which may call tools, one per call; accepts any tools."""

    messages: list[AIMessage]
    asked: int = 0

    @property
    def _llm_type(self) -> str:
        return "scripted agent"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.asked += 1
        if self.asked > len(self.messages):
            raise AssertionError(f"the script has {len(self.messages)} answers, no more")
        answer = self.messages[self.asked - 1].model_copy()
        return ChatResult(generations=[ChatGeneration(message=answer)])


class BrokenModel(ScriptedModel):
    """Raises at the end of the calls whose numbers, from 1, are in ``broken``."""

    broken: set[int]

    async def _astream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
        async for chunk in super()._astream(messages, *args, **kwargs):
            yield chunk
        if len(self.calls) in self.broken:
            raise ConnectionError("the line to the model is down")


def talking_graph(model: BaseChatModel, *, remembers: bool = True) -> Pregel[Any, Any, Any, Any]:
    """Return a graph of one node that streams the model's answer to the conversation so far."""

    async def talk(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("talk", talk)
    builder.add_edge(START, "talk")
    builder.add_edge("talk", END)
    return builder.compile(checkpointer=InMemorySaver() if remembers else None)
