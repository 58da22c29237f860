"""What the chat models inside a graph's run did: names, tokens, failures."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult
from langgraph.constants import TAG_NOSTREAM
from livekit.agents.llm import CompletionUsage


class ModelCalls(BaseCallbackHandler):
    """Follows one run of a local graph; a callback handler of LangChain.

    ``usage`` is the sum over all models of the run, silent ones too, None before the first that
    told. ``model`` and ``provider`` are those of the model that was asked last.
    """

    run_inline = True

    def __init__(self) -> None:
        self.usage: UsageMetadata | None = None
        self.model: str | None = None
        self.provider: str | None = None
        self._tasks: dict[UUID, str] = {}
        self._failed: defaultdict[str, int] = defaultdict(int)
        self._failed_before: dict[str, int] = {}
        self._silent_runs: set[UUID] = set()
        self._silent: set[str] = set()

    def failures(self, task: str, message_id: str | None = None) -> int:
        """How often the node of ``task``, or a model in it, has failed.

        Of a streamed message: how often before the message began. Tasks are named by their
        checkpoint namespace.
        """
        now = self._failed.get(task, 0)
        return now if message_id is None else self._failed_before.get(message_id, now)

    def is_silent(self, message_id: str | None) -> bool:
        """Whether the message was made by a model that carries LangGraph's ``nostream`` tag."""
        return message_id in self._silent

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A model is asked."""
        self._begin(run_id, metadata)
        if tags and TAG_NOSTREAM in tags:
            self._silent_runs.add(run_id)
        self._named(metadata or {})

    def on_llm_new_token(
        self, token: str | list[Any], *, chunk: Any = None, run_id: UUID, **kwargs: Any
    ) -> None:
        """A model streams; LangGraph's own stream shows it later, when the task may have failed."""
        if isinstance(chunk, ChatGenerationChunk) and chunk.message.id is not None:
            failures = self._failed.get(self._tasks.get(run_id, ""), 0)
            self._failed_before.setdefault(chunk.message.id, failures)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """A model has answered."""
        self._tasks.pop(run_id, None)
        for generation in (one for some in response.generations for one in some):
            if isinstance(generation, ChatGeneration):
                self._counted(generation.message)
                if run_id in self._silent_runs and generation.message.id is not None:
                    self._silent.add(generation.message.id)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A model has failed."""
        self._fail(run_id)

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: Any,
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A node begins, or something else that runs inside a graph."""
        if metadata and kwargs.get("name") == metadata.get("langgraph_node"):
            self._begin(run_id, metadata)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A node has ended."""
        self._tasks.pop(run_id, None)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A node has failed; it may be tried again."""
        self._fail(run_id)

    def saw(self, message: BaseMessage, metadata: dict[str, Any]) -> None:
        """An item of LangGraph's ``messages`` stream; for graphs that call no handler back."""
        self._named(metadata)
        self._counted(message)

    def _named(self, metadata: dict[str, Any]) -> None:
        self.model = metadata.get("ls_model_name") or self.model
        self.provider = metadata.get("ls_provider") or self.provider

    def _counted(self, message: BaseMessage) -> None:
        usage = message.usage_metadata if isinstance(message, AIMessage) else None
        if usage and "total_tokens" in usage:  # an answer from LangChain's cache counts none
            self.usage = add_usage(self.usage, usage)

    def _begin(self, run_id: UUID, metadata: dict[str, Any] | None) -> None:
        task = (metadata or {}).get("langgraph_checkpoint_ns")
        if task:
            self._tasks[run_id] = task

    def _fail(self, run_id: UUID) -> None:
        task = self._tasks.pop(run_id, None)
        if task is not None:
            self._failed[task] += 1


def completion_usage(usage: UsageMetadata) -> CompletionUsage:
    """LangChain's token counts as LiveKit's."""
    taken = usage.get("input_token_details", {})
    given = usage.get("output_token_details", {})
    return CompletionUsage(
        prompt_tokens=usage["input_tokens"],
        completion_tokens=usage["output_tokens"],
        total_tokens=usage["total_tokens"],
        prompt_cached_tokens=taken.get("cache_read", 0),
        cache_read_tokens=taken.get("cache_read", 0),
        cache_creation_tokens=taken.get("cache_creation", 0),
        reasoning_tokens=given.get("reasoning", 0),
    )
