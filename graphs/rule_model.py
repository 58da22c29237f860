"""The offline chat model: ordered rules, for a machine with no key and no network.

It is a real ``BaseChatModel``: it streams, binds tools, and returns structured output through a
tool call, so a graph runs on it unchanged. Each graph supplies its list of rules. If no rule
answers a turn, the model asks the caller to repeat.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolCall,
    ToolMessage,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from typing_extensions import override

SAY_AGAIN = "Sorry, I did not get that. Could you say that again, please?"


@dataclass(frozen=True)
class ModelAnswer:
    """A rule's answer: text, tool calls as (name, arguments), or both."""

    text: str = ""
    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()


@dataclass(frozen=True)
class ModelTurn:
    """One request to the model, in the form that a rule reads.

    ``tools`` are the names of the tools that may be called. If ``must_call`` is set, the answer
    must call one of them.
    """

    messages: Sequence[BaseMessage]
    tools: Sequence[str] = ()
    must_call: bool = False

    @property
    def heard(self) -> str:
        """What the caller said since the last answer, "" if nothing."""
        return self.exchanges[-1][1] if self.exchanges else ""

    @property
    def asked(self) -> str:
        """What the agent said just before :attr:`heard`, "" at the beginning."""
        return self.exchanges[-1][0] if self.exchanges else ""

    @property
    def exchanges(self) -> list[tuple[str, str]]:
        """The conversation as pairs (agent's words, caller's answer); "" means nothing was said.

        Consecutive messages of one side are joined.
        """
        pairs: list[tuple[str, str]] = []
        for message in self.messages:
            text = message.text.strip()
            if isinstance(message, AIMessage) and text:
                if pairs and not pairs[-1][1]:
                    pairs[-1] = (f"{pairs[-1][0]} {text}".strip(), "")
                else:
                    pairs.append((text, ""))
            elif isinstance(message, HumanMessage) and text:
                asked, heard = pairs.pop() if pairs else ("", "")
                pairs.append((asked, f"{heard} {text}".strip()))
        return pairs

    @property
    def result(self) -> ToolMessage | None:
        """The tool result that still needs an answer; None if the last message is another kind."""
        last = self.messages[-1] if self.messages else None
        return last if isinstance(last, ToolMessage) else None

    @property
    def opening(self) -> bool:
        """True if nobody has spoken yet."""
        return not self.exchanges


Rule = Callable[[ModelTurn], ModelAnswer | None]
"""Answers a turn, or returns None to leave it to the next rule."""


def ask_again(_: ModelTurn) -> ModelAnswer:
    """Ask the caller to repeat. The fallback of every list of rules: the model never guesses."""
    return ModelAnswer(SAY_AGAIN)


@dataclass(frozen=True)
class _Reply:
    """A rule's answer in LangChain's types; usage counts words."""

    text: str
    calls: list[ToolCall]
    usage: UsageMetadata


class RuleChatModel(BaseChatModel):
    """The offline chat model: the first of ``rules`` that returns an answer wins."""

    rules: Sequence[Rule]

    @property
    @override
    def _llm_type(self) -> str:
        return "lastword-rules"

    @property
    @override
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": "rules", "rules": len(self.rules)}

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        """The name that separates these answers from a language model's in metrics and traces."""
        return LangSmithParams(
            ls_provider="lastword", ls_model_name="offline-rules", ls_model_type="chat"
        )

    @override
    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Let the rules call ``tools``; a ``tool_choice`` besides "auto" and "none" requires it."""
        schemas = [convert_to_openai_tool(each) for each in tools]
        return self.bind(tools=schemas, tool_choice=tool_choice, **kwargs)

    def answer(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[Mapping[str, Any]] = (),
        tool_choice: str | None = None,
    ) -> ModelAnswer:
        """Try the rules in order; ask the caller to repeat if none answers."""
        turn = ModelTurn(
            messages,
            tools=[str(each["function"]["name"]) for each in tools],
            must_call=tool_choice not in (None, "auto", "none"),
        )
        for rule in self.rules:
            if (answer := rule(turn)) is not None:
                return answer
        return ask_again(turn)

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        reply = self._reply(messages, kwargs)
        message = AIMessage(content=reply.text, tool_calls=reply.calls, usage_metadata=reply.usage)
        return ChatResult(generations=[ChatGeneration(message=message)])

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages, **kwargs)

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        reply = self._reply(messages, kwargs)
        message_id = f"rules-{uuid4()}"
        for word in re.findall(r"\S+\s*", reply.text):
            yield ChatGenerationChunk(message=AIMessageChunk(content=word, id=message_id))
        yield ChatGenerationChunk(message=_last_chunk(reply, message_id))

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages, **kwargs):
            yield chunk

    def _reply(self, messages: Sequence[BaseMessage], kwargs: Mapping[str, Any]) -> _Reply:
        answer = self.answer(messages, kwargs.get("tools") or (), kwargs.get("tool_choice"))
        calls = [
            tool_call(name=name, args=dict(args), id=f"call_{uuid4().hex}")
            for name, args in answer.calls
        ]
        read = sum(len(message.text.split()) for message in messages)
        said = len(answer.text.split()) + len(calls)
        usage = UsageMetadata(input_tokens=read, output_tokens=said, total_tokens=read + said)
        return _Reply(answer.text, calls, usage)


def _last_chunk(reply: _Reply, message_id: str) -> AIMessageChunk:
    """Return the chunk that closes the stream: the tool calls, and the usage in words."""
    chunks = [
        tool_call_chunk(
            name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index
        )
        for index, call in enumerate(reply.calls)
    ]
    return AIMessageChunk(
        content="",
        id=message_id,
        tool_call_chunks=chunks,
        usage_metadata=reply.usage,
        chunk_position="last",
    )
