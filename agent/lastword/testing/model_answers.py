"""What chat models answer while a conversation is replayed.

Lastword does not know which models a graph has made, or where. It answers in the one place that
all of LangChain's chat models pass: the cache. A model that asks nobody (Lastword's rules,
LangChain's fakes) goes on answering by itself; any other is never asked unasked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from langchain_core.caches import RETURN_VAL_TYPE, BaseCache
from langchain_core.globals import get_llm_cache, set_llm_cache
from langchain_core.language_models import BaseChatModel
from langchain_core.outputs import ChatGeneration
from langgraph.config import get_config
from typing_extensions import override

from lastword.errors import ConversationError
from lastword.testing.cassette import Cassette, ModelRequest, model_message, read_request
from lastword.testing.transcripts.transcript import ModelAnswer

RULES = "lastword-rules"
OFFLINE = (RULES, "fake", "generic-fake-chat-model", "parrot-fake-chat-model")
"""Types of models that answer without anybody's help, as LangChain names them."""


class ModelBroke(Exception):
    """A chat model fails because the transcript says so."""


class ModelAnswers(BaseCache):
    """Answers for the chat models of a graph.

    Args:
        cassette: recorded answers; when there is one, nothing else answers but the transcript.
        records: let the models answer, and keep what they say in ``cassette``.
        live: let the models answer; neither transcript nor cassette is looked at.
    """

    def __init__(
        self, cassette: Cassette | None = None, *, records: bool = False, live: bool = False
    ) -> None:
        self._cassette = cassette
        self._records = records
        self._live = live
        self._written: list[ModelAnswer] = []
        self.refused = False
        """Whether there was ever a question without an answer."""
        self.missing: list[str] = []
        """Questions to which there was no answer, as sentences."""

    def expect(self, answers: Sequence[ModelAnswer]) -> None:
        """What is answered next, before anything else."""
        self._written = [] if self._live else list(answers)

    @property
    def left(self) -> Sequence[ModelAnswer]:
        """Written answers that nobody has asked for."""
        return self._written

    def concerns(self, model: BaseChatModel) -> bool:
        """Whether the next question to ``model`` must come here."""
        if self._live and not self._records:
            return False
        is_offline = model._llm_type.startswith(OFFLINE)  # noqa: SLF001 - LangChain's own key
        return bool(self._written) or self._cassette is not None or not is_offline

    @override
    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """The answer; None lets the model give it.

        Raises:
            ModelBroke: the transcript says so.
            ConversationError: there is no answer.
        """
        request = read_request(_node(), prompt, llm_string)
        if self._live:
            if RULES in llm_string:
                raise self._unanswered(
                    f"the real chat model is asked for, but in node {request.node!r} the offline "
                    "rules answer: set OPENAI_API_KEY, or do not ask for live or recorded answers"
                )
            return None
        written = next((one for one in self._written if one.node in (None, request.node)), None)
        if written is not None:
            self._written.remove(written)
            if written.fails is not None:
                raise ModelBroke(written.fails)
            message = model_message(written.says, list(written.calls.items()))
            return [ChatGeneration(message=message)]
        if self._records:
            return None
        if self._cassette is not None:
            return self._recorded(self._cassette, request)
        if any(f"'_type', '{kind}" in llm_string for kind in OFFLINE):
            return None  # it needs nobody's answer
        raise self._unanswered(
            f"the graph asks its chat model in node {request.node!r}, and nothing says what it "
            "answers: write `model:` into the agent's turn, record a cassette (pytest "
            "--lastword-record), or ask the real model (--lastword-live)"
        )

    def _recorded(self, cassette: Cassette, request: ModelRequest) -> RETURN_VAL_TYPE:
        found = cassette.find(request)
        if found is None:
            raise self._unanswered(
                f"the question to the chat model in node {request.node!r} is not the one that "
                f"{cassette.path.name} has recorded; record it anew (pytest "
                "--lastword-record) if that is meant:",
                *cassette.difference(request).splitlines(),
            )
        return [ChatGeneration(message=found)]

    def _unanswered(self, why: str, *lines: str) -> ConversationError:
        error = ConversationError(why, *lines)
        self.missing.append(str(error))
        self.refused = True
        return error

    @override
    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """Keep what a model has answered, when that is wanted."""
        if not self._records or self._cassette is None:
            return
        for generation in return_val:
            if isinstance(generation, ChatGeneration):
                request = read_request(_node(), prompt, llm_string)
                self._cassette.add(request, generation.message)  # type: ignore[arg-type]

    def keep(self) -> None:
        """Write what was recorded; a conversation in which a question was refused keeps nothing."""
        cassette = self._cassette if self._records and not self.refused else None
        if cassette is not None and cassette.has_answers:
            cassette.save()

    @override
    def clear(self, **kwargs: Any) -> None:
        """Forget what was to be answered."""
        self._written = []

    @override
    async def alookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """As ``lookup``, in the node's own task."""
        return self.lookup(prompt, llm_string)

    @override
    async def aupdate(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """As ``update``."""
        self.update(prompt, llm_string, return_val)


def _node() -> str:
    try:
        return str(get_config()["metadata"]["langgraph_node"])
    except (RuntimeError, KeyError):
        return "unknown"


@contextmanager
def answering(answers: ModelAnswers) -> Iterator[None]:
    """Let ``answers`` answer for every chat model of this process.

    LangChain asks no cache for a stream, so models whose questions must come here do not stream;
    ``_should_stream`` is where LangChain decides that. A model that was told to use no cache, or
    one of its own, is asked as one that was not.

    Raises:
        ConversationError: another conversation is open in this process.
    """
    if isinstance(get_llm_cache(), ModelAnswers):
        raise ConversationError(
            "another conversation is open in this process, and a model's answer could be for "
            "either: end that one first"
        )
    cache, streams = get_llm_cache(), BaseChatModel._should_stream  # noqa: SLF001
    sync, later = BaseChatModel._generate_with_cache, BaseChatModel._agenerate_with_cache  # noqa: SLF001

    def without_its_cache(model: BaseChatModel) -> BaseChatModel:
        if model.cache is None or not answers.concerns(model):
            return model
        return model.model_copy(update={"cache": None})

    def generate(self: BaseChatModel, *given: Any, **named: Any) -> Any:
        return sync(without_its_cache(self), *given, **named)

    async def agenerate(self: BaseChatModel, *given: Any, **named: Any) -> Any:
        return await later(without_its_cache(self), *given, **named)

    def should_stream(self: BaseChatModel, **kwargs: Any) -> bool:
        return not answers.concerns(self) and streams(self, **kwargs)

    set_llm_cache(answers)
    BaseChatModel._should_stream = should_stream  # type: ignore[method-assign] # noqa: SLF001
    BaseChatModel._generate_with_cache = generate  # type: ignore[method-assign] # noqa: SLF001
    BaseChatModel._agenerate_with_cache = agenerate  # type: ignore[method-assign] # noqa: SLF001
    try:
        yield
    finally:
        BaseChatModel._should_stream = streams  # type: ignore[method-assign] # noqa: SLF001
        BaseChatModel._generate_with_cache = sync  # type: ignore[method-assign] # noqa: SLF001
        BaseChatModel._agenerate_with_cache = later  # type: ignore[method-assign] # noqa: SLF001
        set_llm_cache(cache)
