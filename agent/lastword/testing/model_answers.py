"""What chat models answer while a conversation is replayed: the file, a cassette, or themselves.

A model that needs nobody (LangChain's fakes, and what the project names as ``offline_models``) goes
on answering by itself; any other is asked only with ``live`` or ``records``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from langchain_core.caches import RETURN_VAL_TYPE
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from typing_extensions import override

from lastword.errors import ConversationError
from lastword.testing.cassette import Cassette, ModelRequest, model_message, read_request
from lastword.testing.chat_models import kind_in
from lastword.testing.transcripts.transcript import ModelAnswer

FAKES = ("fake", "generic-fake-chat-model", "parrot-fake-chat-model")
"""How the types of LangChain's own fakes begin."""


class ModelBroke(Exception):
    """A chat model fails because the transcript says so."""


class ModelAnswers(BaseCallbackHandler):
    """The answers of one conversation. It must be among the callbacks of the graph's runs.

    Args:
        cassette: recorded answers; when there is one, nothing else answers but the transcript.
        records: let the models answer, and keep what they say in ``cassette``.
        live: let the models answer; neither transcript nor cassette is looked at.
        offline: types of the project's models that answer by themselves.
    """

    run_inline = True
    raise_error = True

    def __init__(
        self,
        cassette: Cassette | None = None,
        *,
        records: bool = False,
        live: bool = False,
        offline: Sequence[str] = (),
    ) -> None:
        self._cassette = cassette
        self._records = records
        self._live = live
        self._offline = tuple(offline)
        self._written: list[ModelAnswer] = []
        self._asked: dict[UUID, str] = {}
        self._passed: set[str | None] = set()
        self.on_change: Callable[[], None] = lambda: None
        self.refused = False
        """Whether there was ever a question without an answer."""
        self.missing: list[str] = []
        """Questions to which there was no answer, as sentences."""

    def expect(self, answers: Sequence[ModelAnswer]) -> None:
        """Set what is answered next, before anything else."""
        self._written = [] if self._live else list(answers)
        self.on_change()

    @property
    def left(self) -> Sequence[ModelAnswer]:
        """Written answers that nobody has asked for."""
        return self._written

    def concern(self, kind: str) -> bool:
        """Whether a question to a model of this type (LangChain's ``_llm_type``) comes here."""
        if self._live and not self._records:
            return kind in self._offline
        return bool(self._written) or self._cassette is not None or not self._needs_nobody(kind)

    def _needs_nobody(self, kind: str) -> bool:
        return kind in self._offline or kind.startswith(FAKES)

    def lookup(self, node: str, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """The answer; None lets the model give it.

        Args:
            node: whose model is asked.
            prompt: the messages, as LangChain gives them to a cache.
            llm_string: the model and its parameters, as LangChain gives them to a cache.

        Raises:
            ModelBroke: the transcript says so.
            ConversationError: there is no answer.
        """
        request, kind = read_request(node, prompt, llm_string), kind_in(llm_string)
        if self._live:
            self._refuse_offline(node, kind)
            return None
        written = next((one for one in self._written if one.node in (None, node)), None)
        if written is not None:
            self._written.remove(written)
            if written.fails is not None:
                raise ModelBroke(written.fails)
            return self._pass(model_message(written.says, list(written.calls.items())))
        if self._records:
            return None
        if self._cassette is not None:
            return self._recorded(self._cassette, request)
        if self._needs_nobody(kind):
            return None
        raise self._unanswered(
            f"the graph asks its chat model in node {node!r}, and nothing says what it "
            "answers: write `model:` into the agent's turn, record a cassette (pytest "
            "--lastword-record), or ask the real model (--lastword-live)"
        )

    def _refuse_offline(self, node: str, kind: str) -> None:
        if kind in self._offline:
            raise self._unanswered(
                f"the real chat model is asked for, but in node {node!r} the offline model "
                f"{kind!r} answers: set the key that the real one needs, or do not ask for "
                "live or recorded answers"
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
        return self._pass(found)

    def _pass(self, message: AIMessage) -> RETURN_VAL_TYPE:
        self._passed.add(message.id)
        return [ChatGeneration(message=message)]

    def _unanswered(self, why: str, *lines: str) -> ConversationError:
        error = ConversationError(why, *lines)
        self.missing.append(str(error))
        self.refused = True
        return error

    def update(self, node: str, prompt: str, llm_string: str, answer: RETURN_VAL_TYPE) -> None:
        """Keep what a model has answered, when that is wanted."""
        for generation in answer:
            if not isinstance(generation, ChatGeneration):
                continue
            self._passed.add(generation.message.id)
            if self._records and self._cassette is not None:
                request = read_request(node, prompt, llm_string)
                self._cassette.add(request, generation.message)  # type: ignore[arg-type]

    def keep(self) -> None:
        """Write what was recorded; a conversation in which a question was refused keeps nothing."""
        cassette = self._cassette if self._records and not self.refused else None
        if cassette is not None and cassette.has_answers:
            cassette.save()

    @override
    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        invocation_params: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A model is asked; remember it when the question must come here."""
        if self.concern(str((invocation_params or {}).get("_type", ""))):
            self._asked[run_id] = str((metadata or {}).get("langgraph_node", "unknown"))

    @override
    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """A model has answered.

        Raises:
            ConversationError: its question should have come here, and did not.
        """
        node = self._asked.pop(run_id, None)
        given = [
            one.message.id
            for several in response.generations
            for one in several
            if isinstance(one, ChatGeneration)
        ]
        if node is not None and not self._passed.issuperset(given):
            raise self._unanswered(
                f"the real chat model has answered in node {node!r}, as it is made while the graph "
                "runs and asked with stream(): make it before, or ask it with invoke(), of which "
                "LangGraph streams the words too"
            )
