"""Lets a test answer for the chat models of a graph.

LangChain has one public interface that can answer instead of the model: the cache
(``set_llm_cache``, or the model's own field ``cache``). ``invoke`` and ``ainvoke`` of every chat
model look there first. ``stream`` and ``astream`` do not, but a model with the public field
``disable_streaming`` turns them into ``invoke`` and ``ainvoke``. So a conversation sets a cache and
these two fields, and restores them at its end. It patches no class of LangChain, and works with
the models of every provider.

This does not cover one kind of request: the stream of a model that is created while the graph runs.
``ModelAnswers`` is also a callback of the run; when an answer did not come from it, the
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
    """The source of the answers in one conversation."""

    on_change: Callable[[], None]
    """Called whenever the result of ``concern`` may have changed."""

    def concern(self, kind: str) -> bool:
        """Whether requests to models of type ``kind`` (LangChain's ``_llm_type``) come here."""

    def lookup(self, node: str, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """Return the answer, or None to let the model answer."""

    def update(self, node: str, prompt: str, llm_string: str, answer: RETURN_VAL_TYPE) -> None:
        """Take note of an answer that the model itself gave."""


def kind_in(llm_string: str) -> str:
    """Return the model's type, read from LangChain's text for caches; "" when it has none."""
    found = re.search(r"'_type', '([^']*)", llm_string)
    return found[1] if found else ""


def models_of(graph: Any) -> Sequence[BaseChatModel]:
    """Return all chat models that existed in this process at the first call for ``graph``.

    A graph does not list its models, so all of them are collected from Python's garbage collector.
    That takes about 50 ms; the result is cached for each graph.
    """
    if graph not in _found:
        _found[graph] = [one for one in gc.get_objects() if issubclass(type(one), BaseChatModel)]
    return _found[graph]


@contextmanager
def asking(answers: Answers, models: Sequence[BaseChatModel]) -> Iterator[None]:
    """Ask ``answers`` first for every model request of the graphs that run in this process.

    Args:
        answers: the source of the answers.
        models: the models whose streams, and whose requests that skip the global cache, must come
            to ``answers`` too.

    Raises:
        ConversationError: another conversation is open in this process.
    """
    cache = get_llm_cache()
    if isinstance(cache, _ConversationCache):
        raise ConversationError(
            "another conversation is open in this process: close it first, because a model's "
            "answer cannot be assigned to one of two conversations"
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
    """Asks the conversation for an answer, else the previous cache (``own``)."""

    def __init__(self, answers: Answers, own: BaseCache | None) -> None:
        self._answers = answers
        self._own = own

    def _node(self, llm_string: str) -> str | None:
        """Return the node that makes the request; None for a request outside of the conversation.

        Requests of the test itself, such as a judge's, are outside. A request from a thread without
        a context counts as inside: refusing it is better than sending it to a real model.
        """
        if not self._answers.concern(kind_in(llm_string)):
            return None
        try:
            return str(get_config()["metadata"]["langgraph_node"])
        except (RuntimeError, KeyError):
            return None if _IN_TEST.get() else "unknown"

    @override
    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """Return the answer, or None to let the model answer."""
        node = self._node(llm_string)
        if node is not None:
            return self._answers.lookup(node, prompt, llm_string)
        return None if self._own is None else self._own.lookup(prompt, llm_string)

    @override
    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """Record what a model has answered."""
        node = self._node(llm_string)
        if node is not None:
            self._answers.update(node, prompt, llm_string, return_val)
        elif self._own is not None:
            self._own.update(prompt, llm_string, return_val)

    @override
    def clear(self, **kwargs: Any) -> None:
        """Clear the previous cache."""
        if self._own is not None:
            self._own.clear(**kwargs)

    @override
    async def alookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """Like ``lookup``, in the node's task."""
        node = self._node(llm_string)
        if node is not None:
            return self._answers.lookup(node, prompt, llm_string)
        return None if self._own is None else await self._own.alookup(prompt, llm_string)

    @override
    async def aupdate(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """Like ``update``, in the node's task."""
        node = self._node(llm_string)
        if node is not None:
            self._answers.update(node, prompt, llm_string, return_val)
        elif self._own is not None:
            await self._own.aupdate(prompt, llm_string, return_val)
