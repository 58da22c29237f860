"""A graph that waits for a human: the question as speech, the answer as the graph's input.

Pure code: no clock, no loop, no network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage
from langgraph.types import Command

from agent.bridge.history import Turn
from agent.bridge.run_pointer import Question

_WORDS = ("question", "text", "content", "message", "description")


def question_words(value: object) -> str:
    """What the caller hears of an interrupt's value: the text itself, or the text in it.

    A mapping is asked for "question", "text", "content", "message" and "description", in this
    order; the request of LangChain's ``HumanInTheLoopMiddleware`` for its descriptions. "" when
    there is nothing to say.
    """
    match value:
        case str():
            return value
        case {"action_requests": [*requests]}:
            return " ".join(filter(None, map(question_words, requests)))
        case Mapping():
            return next((text for key in _WORDS if isinstance(text := value.get(key), str)), "")
        case _:
            return ""


def asked(
    interrupts: Sequence[Mapping[str, Any]],
    task: str,
    ns: Sequence[str],
    before: Sequence[Question],
) -> list[Question]:
    """Questions of one task, in LangGraph's shape of them, after it was asked ``before``."""
    answered = [one["answered"] + 1 for one in before[:1] if one["task"] == task]
    return [
        Question(
            id=one["id"],
            words=question_words(one["value"]),
            task=task,
            ns="|".join(ns),
            answered=answered[0] if answered else 0,
        )
        for one in interrupts
    ]


def has_answer(turn: Turn) -> bool:
    """Whether the turn brings an answer to the question that the graph waits for."""
    return bool(turn.words) or turn.operator_answer is not None


def resume(turn: Turn, corrections: Sequence[BaseMessage]) -> Command[Any]:
    """The input that answers the first question: an operator's answer, else the caller's words."""
    answer = turn.operator_answer
    if answer is None:
        answer = " ".join(turn.words)
    others = [message for message in turn.new if not isinstance(message, HumanMessage)]
    messages = [*corrections, *others]
    update = {"messages": messages} if messages else None
    return Command(resume={turn.questions[0]["id"]: answer}, update=update)
