"""Questions of the graph: LangGraph's interrupt as speech, and the answer as the graph's input.

Pure code: no clock, no loop, no network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage
from langgraph.types import Command

from lastword.bridge.chat_items import Question
from lastword.bridge.turn import Turn

_WORDS = ("question", "text", "content", "message", "description")


def question_words(value: object) -> str:
    """What the caller hears of an interrupt's value, and may answer.

    The value itself when it is text, or in a mapping the text at "question", "text", "content",
    "message" or "description", in this order. "" when there is no such text, or the value asks for
    something that no caller can say: the approval of an action, as LangChain's
    ``HumanInTheLoopMiddleware`` does.
    """
    match value:
        case str():
            return value
        case {"action_requests": _} | {"action_request": _}:
            return ""
        case Mapping():
            return next((text for key in _WORDS if isinstance(text := value.get(key), str)), "")
        case _:
            return ""


def asked_questions(
    interrupts: Sequence[Mapping[str, Any]],
    task: str,
    ns: Sequence[str],
    before: Sequence[Question],
) -> list[Question]:
    """The interrupts of one LangGraph task as questions.

    Args:
        interrupts: as LangGraph's ``tasks`` stream has them, with ``id`` and ``value``.
        task: id of the task.
        ns: its checkpoint namespace.
        before: the questions that were open when this turn began.
    """
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
    """Whether the turn answers the first open question; ``turn.questions`` must not be empty.

    A caller's words answer only a question that the caller was asked.
    """
    if turn.operator_answer is not None:
        return True
    return bool(turn.words) and bool(turn.questions[0]["words"])


def resume(turn: Turn, corrections: Sequence[BaseMessage]) -> Command[Any]:
    """The input that answers the first question: the operator's answer, else the caller's words.

    What the caller said while an operator was asked becomes messages of the graph.
    """
    new = list(turn.new)
    if turn.operator_answer is not None:
        answer = turn.operator_answer.value
    else:
        answer = " ".join(turn.words)
        new = [message for message in new if not isinstance(message, HumanMessage)]
    messages = [*corrections, *new]
    update = {"messages": messages} if messages else None
    return Command(resume={turn.questions[0]["id"]: answer}, update=update)
