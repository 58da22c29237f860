"""Finds words that a graph spoke but did not keep in its messages, and so forgets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import LC_ID_PREFIX, AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from lastword.bridge.chat_items import RunPointer
from lastword.testing.wording import contains


class ForgottenWords(UserWarning):
    """A model in ``node`` streamed ``words`` that were spoken, but are in no message.

    Everything that a model streams is spoken, whatever the node does with the reply; the graph
    remembers only what is in ``messages``. Nodes of subgraphs are named "outer/inner".
    """

    def __init__(self, node: str, words: str) -> None:
        super().__init__(
            f"node {node!r} has spoken words that are in no message, so the graph forgets them: "
            f'"{words}". Put the model\'s reply into `messages`; if it is not for the caller, tag '
            'the model with "nostream" or name the node in CallPolicy(silent_nodes=...)'
        )
        self.node = node
        self.words = words


class _Answer(NamedTuple):
    """``streamed_as``: the id that LangChain gives the chunks when the provider gives none."""

    node: str
    message: BaseMessage
    streamed_as: str


class ForgottenWordsWatch(BaseCallbackHandler):
    """Collects the answers of a graph's models, and finds those spoken but kept in no message."""

    run_inline = True

    def __init__(self) -> None:
        self._nodes: dict[UUID, str] = {}
        self._answers: list[_Answer] = []

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],  # noqa: ARG002 - LangChain's
        messages: list[list[BaseMessage]],  # noqa: ARG002
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Remember the node of a model request."""
        path = str((metadata or {}).get("langgraph_checkpoint_ns", "")).split("|")
        self._nodes[run_id] = "/".join(task.partition(":")[0] for task in path)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:  # noqa: ARG002
        """Collect the answer to a model request."""
        node = self._nodes.pop(run_id, "")
        for generation in response.generations[0] if node else ():
            if isinstance(generation, ChatGeneration):
                streamed_as = f"{LC_ID_PREFIX}-{run_id}"
                self._answers.append(_Answer(node, generation.message, streamed_as))

    def take(
        self, pointer: RunPointer | None, state: Mapping[str, Any] | None
    ) -> list[ForgottenWords]:
        """Return the forgotten words of the finished turn.

        Empty when the turn ended the call, when the graph failed or waits for an answer, and when
        its state has no messages. ``say(...)`` and the worker's own sentences are never in a
        message, and do not count.

        Args:
            pointer: the pointer of the run that answered the turn.
            state: the graph's state after that run.
        """
        answers, self._answers = self._answers, []
        messages = (state or {}).get("messages")
        if pointer is None or not pointer.get("finished") or pointer["failures"] or not messages:
            return []
        spoken = {message_id for message_id, _ in pointer["spoken"]}
        kept = _of_this_turn(messages)
        said = "\n".join(message.text for message in kept)
        return [
            ForgottenWords(node, message.text)
            for node, message, streamed_as in answers
            if spoken & {message.id, streamed_as} and not contains(said, message.text)
        ]


def _of_this_turn(messages: list[Any]) -> list[AIMessage]:
    """The graph's messages since the caller's last message."""
    human = [at for at, one in enumerate(messages) if isinstance(one, HumanMessage)]
    return [one for one in messages[max(human, default=-1) + 1 :] if isinstance(one, AIMessage)]
