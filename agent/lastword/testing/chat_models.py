"""Which chat models there are in this process, and the cache that LangChain asks for each answer.

LangChain has one public place where the answer to a question can come from somewhere else than the
model: its cache (``set_llm_cache``, or the model's own field ``cache``). ``invoke`` and ``ainvoke``
of every chat model ask it first. ``stream`` and ``astream`` do not, but a model whose public field
``disable_streaming`` is set turns them into ``invoke`` and ``ainvoke``. So a conversation sets a
cache and these two fields, and puts back what was there. No class of LangChain's is changed, and
what a model asks over HTTP does not matter.

Not reached that way is only the stream of a model that is made while the graph runs. It cannot be
told from other questions before it is sent; ``ModelAnswers`` sees that it was not asked, and the
conversation fails.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from langchain_core.caches import RETURN_VAL_TYPE, BaseCache
from langchain_core.globals import get_llm_cache, set_llm_cache
from langchain_core.language_models import BaseChatModel
from langgraph.config import get_config
from typing_extensions import override

from lastword.errors import ConversationError

_IN_TEST: ContextVar[bool] = ContextVar("lastword_in_test", default=False)
_found: WeakKeyDictionary[Any, Sequence[BaseChatModel]] = WeakKeyDictionary()


class Answers(Protocol):
    """Where the answers to the questions of a conversation come from."""

    on_change: Callable[[], None]
    """Called whenever other models than before may be concerned."""

    def concern(self, kind: str) -> bool:
        """Whether a question to a model of this type (LangChain's ``_llm_type``) comes here."""

    def lookup(self, node: str, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """The answer; None lets the model give it."""

    def update(self, node: str, prompt: str, llm_string: str, answer: RETURN_VAL_TYPE) -> None:
        """The model has given this answer."""


def kind_in(llm_string: str) -> str:
    """The model's type in LangChain's text for caches; "" where it is not in there."""
    found = re.search(r"'_type', '([^']*)", llm_string)
    return found[1] if found else ""


def models_of(graph: Any) -> Sequence[BaseChatModel]:
    """The chat models that were in this process when ``graph`` was first asked about.

    Nothing says which of them a graph asks, or keeps where, so Python's collector is asked for all
    of them. That takes about 50 ms, and is done once for each graph.
    """
    if graph not in _found:
        _found[graph] = [one for one in gc.get_objects() if issubclass(type(one), BaseChatModel)]
    return _found[graph]


@contextmanager
def asking(answers: Answers, models: Sequence[BaseChatModel]) -> Iterator[None]:
    """Let graphs that run in this process get their models' answers from ``answers``.

    Args:
        answers: asked first for every question that a graph's run asks.
        models: those whose streams and whose questions past the global cache come there too.

    Raises:
        ConversationError: another conversation is open in this process.
    """
    cache = get_llm_cache()
    if isinstance(cache, _ConversationCache):
        raise ConversationError(
            "another conversation is open in this process, and a model's answer could be for "
            "either: end that one first"
        )
    before = [(model, model.cache, model.disable_streaming) for model in models]

    def choose_streaming() -> None:
        for model, _, streaming in before:
            concerned = answers.concern(model._llm_type)  # noqa: SLF001 - LangChain's own key
            model.disable_streaming = True if concerned else streaming

    set_llm_cache(_ConversationCache(answers, cache))
    for model, own, _ in before:
        if own is False or isinstance(own, BaseCache):
            model.cache = _ConversationCache(answers, own or None)
    answers.on_change = choose_streaming
    choose_streaming()
    _IN_TEST.set(True)
    try:
        yield
    finally:
        _IN_TEST.set(False)
        set_llm_cache(cache)
        for model, own, streaming in before:
            model.cache, model.disable_streaming = own, streaming


class _ConversationCache(BaseCache):
    """Gives the answers of a conversation, and else what the cache that was there gives."""

    def __init__(self, answers: Answers, own: BaseCache | None) -> None:
        self._answers = answers
        self._own = own

    def _node(self, llm_string: str) -> str | None:
        """The node whose question it is; None when it is none of the conversation's.

        What the test itself asks, such as a judge, is not. A question from a thread that has lost
        its context is: it is better refused than sent.
        """
        if not self._answers.concern(kind_in(llm_string)):
            return None
        try:
            return str(get_config()["metadata"]["langgraph_node"])
        except (RuntimeError, KeyError):
            return None if _IN_TEST.get() else "unknown"

    @override
    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """The answer; None lets the model give it."""
        node = self._node(llm_string)
        if node is not None:
            return self._answers.lookup(node, prompt, llm_string)
        return None if self._own is None else self._own.lookup(prompt, llm_string)

    @override
    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """Keep what a model has answered."""
        node = self._node(llm_string)
        if node is not None:
            self._answers.update(node, prompt, llm_string, return_val)
        elif self._own is not None:
            self._own.update(prompt, llm_string, return_val)

    @override
    def clear(self, **kwargs: Any) -> None:
        """Clear the cache that was there."""
        if self._own is not None:
            self._own.clear(**kwargs)

    @override
    async def alookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """As ``lookup``, in the node's own task."""
        node = self._node(llm_string)
        if node is not None:
            return self._answers.lookup(node, prompt, llm_string)
        return None if self._own is None else await self._own.alookup(prompt, llm_string)

    @override
    async def aupdate(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """As ``update``, in the node's own task."""
        node = self._node(llm_string)
        if node is not None:
            self._answers.update(node, prompt, llm_string, return_val)
        elif self._own is not None:
            await self._own.aupdate(prompt, llm_string, return_val)
