"""The answers of chat models in a conversation: from the transcript, a cassette, or the model.

An offline model (LangChain's fakes, and the project's ``offline_models``) answers when there is
neither a written nor a recorded answer. Any other model is asked only with ``live`` or ``records``.
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
"""Prefixes of the types of LangChain's own fakes."""


class ModelBroke(Exception):
    """The failure of a chat model that the transcript asks for (``fails``)."""


class ModelAnswers(BaseCallbackHandler):
    """The model answers of one conversation; must be a callback of the graph's runs.

    Args:
        cassette: the recorded answers; they also replace the answers of offline models.
        records: let the models answer, and record their answers in ``cassette``.
        live: let the models answer; ignore transcript and cassette.
        offline: the types (LangChain's ``_llm_type``) of the project's offline models.
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
        """Whether any request was refused."""
        self.missing: list[str] = []
        """One sentence for each request refused since the list was last cleared."""

    def expect(self, answers: Sequence[ModelAnswer]) -> None:
        """Set the written answers for the next requests; they are used before all others."""
        self._written = [] if self._live else list(answers)
        self.on_change()

    @property
    def left(self) -> Sequence[ModelAnswer]:
        """The written answers that no request has used."""
        return self._written

    def concern(self, kind: str) -> bool:
        """Whether requests to models of type ``kind`` (LangChain's ``_llm_type``) come here."""
        if self._live and not self._records:
            return kind in self._offline
        return bool(self._written) or self._cassette is not None or not self._is_offline(kind)

    def _is_offline(self, kind: str) -> bool:
        return kind in self._offline or kind.startswith(FAKES)

    def lookup(self, node: str, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """Return the answer, or None to let the model answer.

        Args:
            node: the name of the node that makes the request.
            prompt: the messages, as LangChain gives them to a cache.
            llm_string: the model and its parameters, as LangChain gives them to a cache.

        Raises:
            ModelBroke: the transcript asks for a failure of the model.
            ConversationError: the request is refused because there is no answer.
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
        if self._is_offline(kind):
            return None
        raise self._unanswered(
            f"the graph asks its chat model in node {node!r}, but there is no answer: write "
            "`model:` into the agent's turn, record a cassette (pytest --lastword-record), or "
            "ask the real model (--lastword-live)"
        )

    def _refuse_offline(self, node: str, kind: str) -> None:
        if kind in self._offline:
            raise self._unanswered(
                f"the real chat model should answer, but node {node!r} uses the offline model "
                f"{kind!r}: set the key that the real model needs, or run without --lastword-live "
                "and --lastword-record"
            )

    def _recorded(self, cassette: Cassette, request: ModelRequest) -> RETURN_VAL_TYPE:
        found = cassette.find(request)
        if found is None:
            raise self._unanswered(
                f"the request to the chat model in node {request.node!r} is not recorded in "
                f"{cassette.path.name}; if the new request is intended, record it again "
                "(pytest --lastword-record):",
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
        """Take note of a model's answer; record it when ``records`` is set."""
        for generation in answer:
            if not isinstance(generation, ChatGeneration):
                continue
            self._passed.add(generation.message.id)
            if self._records and self._cassette is not None:
                request = read_request(node, prompt, llm_string)
                self._cassette.add(request, generation.message)  # type: ignore[arg-type]

    def keep(self) -> None:
        """Write the cassette, unless a request was refused."""
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
        """Remember a request that must come here."""
        if self.concern(str((invocation_params or {}).get("_type", ""))):
            self._asked[run_id] = str((metadata or {}).get("langgraph_node", "unknown"))

    @override
    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Check that the answer to a remembered request came through this object.

        Raises:
            ConversationError: it did not; the real model answered.
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
                f"the real chat model has answered in node {node!r}: the node creates the model "
                "while the graph runs, and calls stream(); create the model before, or call "
                "invoke(), whose words LangGraph streams too"
            )
