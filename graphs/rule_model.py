"""A chat model without a model: ordered rules, for a machine with no key and no network.

It is a real ``BaseChatModel``: it streams, binds tools, and gives structured output by calling
a tool, so a graph runs on it unchanged. What it knows of a job is the job's own list of rules;
a turn that none of them answers is answered by asking the caller to say it again.
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
    """What a rule answers: words, tool calls, or both."""

    text: str = ""
    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()


@dataclass(frozen=True)
class ModelTurn:
    """One request to the model, as a rule sees it.

    ``tools`` are the names of the tools that may be called; when ``must_call`` is set, one of
    them has to be.
    """

    messages: Sequence[BaseMessage]
    tools: Sequence[str] = ()
    must_call: bool = False

    @property
    def heard(self) -> str:
        """What the caller said since the last answer, "" when nothing."""
        return self.exchanges[-1][1] if self.exchanges else ""

    @property
    def asked(self) -> str:
        """What the agent said last before :attr:`heard`, "" at the beginning."""
        return self.exchanges[-1][0] if self.exchanges else ""

    @property
    def exchanges(self) -> list[tuple[str, str]]:
        """The conversation as pairs: what the agent said, what the caller answered ("": nothing).

        Sentences that one side said in a row are joined.
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
        """The tool result that waits for an answer, None when the caller or nobody spoke last."""
        last = self.messages[-1] if self.messages else None
        return last if isinstance(last, ToolMessage) else None

    @property
    def opening(self) -> bool:
        """True when nobody has said anything yet."""
        return not self.exchanges


Rule = Callable[[ModelTurn], ModelAnswer | None]
"""Answers a turn, or returns None to leave it to the next rule."""


def ask_again(_: ModelTurn) -> ModelAnswer:
    """The last rule of every job: nothing is guessed."""
    return ModelAnswer(SAY_AGAIN)


@dataclass(frozen=True)
class _Reply:
    """A rule's answer as LangChain wants it."""

    text: str
    calls: list[ToolCall]
    usage: UsageMetadata


class RuleChatModel(BaseChatModel):
    """The offline chat model: the first of ``rules`` that answers a turn is the answer."""

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
        """The name by which metrics and traces tell these answers from a language model's."""
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
        """Let the rules call ``tools``; ``tool_choice`` other than "auto" obliges them to."""
        schemas = [convert_to_openai_tool(each) for each in tools]
        return self.bind(tools=schemas, tool_choice=tool_choice, **kwargs)

    def answer(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[Mapping[str, Any]] = (),
        tool_choice: str | None = None,
    ) -> ModelAnswer:
        """Ask the rules in their order; ask the caller again when none answers."""
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
    """The tool calls and the usage (in words) close the stream."""
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
