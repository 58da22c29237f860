"""What is observed of a run beside its words: its models' calls, and its nodes as trace spans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult
from langgraph.constants import TAG_NOSTREAM
from livekit.agents.llm import CompletionUsage
from livekit.agents.telemetry import tracer
from opentelemetry import trace


class ModelCalls(BaseCallbackHandler):
    """Counts tokens and failures of the chat models in one run; a callback handler of LangChain.

    ``usage`` is the sum over all models of the run, including silent ones; None as long as no model
    has reported any. ``model`` and ``provider`` name the model that was called last.
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

        With the id of a streamed message: how often before that message began. ``task`` is a
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
        """A model is called."""
        self._begin(run_id, metadata)
        if tags and TAG_NOSTREAM in tags:
            self._silent_runs.add(run_id)
        self._note_names(metadata or {})

    def on_llm_new_token(
        self, token: str | list[Any], *, chunk: Any = None, run_id: UUID, **kwargs: Any
    ) -> None:
        """A model streams; LangGraph's own stream may show it only after the task has failed."""
        if isinstance(chunk, ChatGenerationChunk) and chunk.message.id is not None:
            failures = self._failed.get(self._tasks.get(run_id, ""), 0)
            self._failed_before.setdefault(chunk.message.id, failures)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """A model has answered."""
        self._tasks.pop(run_id, None)
        for generation in (one for some in response.generations for one in some):
            if isinstance(generation, ChatGeneration):
                self._count(generation.message)
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
        """A node begins, or another runnable inside the graph."""
        if metadata and kwargs.get("name") == metadata.get("langgraph_node"):
            self._begin(run_id, metadata)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A node has ended."""
        self._tasks.pop(run_id, None)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A node has failed; it may be retried."""
        self._fail(run_id)

    def saw(self, message: BaseMessage, metadata: dict[str, Any]) -> None:
        """Take an item of LangGraph's ``messages`` stream, for graphs that do not call handlers."""
        self._note_names(metadata)
        self._count(message)

    def _note_names(self, metadata: dict[str, Any]) -> None:
        self.model = metadata.get("ls_model_name") or self.model
        self.provider = metadata.get("ls_provider") or self.provider

    def _count(self, message: BaseMessage) -> None:
        usage = message.usage_metadata if isinstance(message, AIMessage) else None
        if usage and "total_tokens" in usage:  # an answer from LangChain's cache has none
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
    read = usage.get("input_token_details", {})
    written = usage.get("output_token_details", {})
    return CompletionUsage(
        prompt_tokens=usage["input_tokens"],
        completion_tokens=usage["output_tokens"],
        total_tokens=usage["total_tokens"],
        prompt_cached_tokens=read.get("cache_read", 0),
        cache_read_tokens=read.get("cache_read", 0),
        cache_creation_tokens=read.get("cache_creation", 0),
        reasoning_tokens=written.get("reasoning", 0),
    )


class NodeSpans:
    """The nodes of one run as spans in LiveKit's trace, inside the span of the LLM's answer.

    The spans of a subgraph's nodes are inside the span of the node that runs the subgraph.
    """

    def __init__(self) -> None:
        self._open: dict[str, tuple[str, trace.Span]] = {}

    @property
    def running(self) -> list[str]:
        """Names of the nodes that have begun and not ended."""
        return [name for name, _ in self._open.values()]

    def follow(self, task: Mapping[str, Any], ns: Sequence[str]) -> None:
        """Take an item of LangGraph's ``tasks`` stream, from checkpoint namespace ``ns``."""
        if "input" in task:
            self._begin(task, ns)
        else:
            self._end(task)

    def _begin(self, task: Mapping[str, Any], ns: Sequence[str]) -> None:
        if not trace.get_current_span().is_recording():  # the trace is not recorded
            self._open[task["id"]] = (task["name"], trace.INVALID_SPAN)
            return
        outer = self._open.get(ns[-1].partition(":")[2]) if ns else None
        span = tracer.start_span(
            "graph_node",
            context=trace.set_span_in_context(outer[1]) if outer else None,
            attributes={"lastword.node": task["name"], "lastword.task": task["id"]},
        )
        self._open[task["id"]] = (task["name"], span)

    def _end(self, task: Mapping[str, Any]) -> None:
        _, span = self._open.pop(task["id"], (None, None))
        if span is None:
            return
        if error := task.get("error"):
            span.set_status(trace.StatusCode.ERROR, str(error))
        span.end()

    def close(self) -> None:
        """The run is over: nodes that have not ended were cut."""
        for _, span in self._open.values():
            span.set_attribute("lastword.cut", value=True)
            span.end()
        self._open.clear()
