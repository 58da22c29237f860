"""Make the graph's messages say what was heard. Pure code: no clock, no loop, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import AIMessage, BaseMessage, RemoveMessage, ToolMessage

_CUT_TOOL = "Not known whether this was done: the caller spoke before the answer came."


@dataclass(frozen=True)
class HeardMessage:
    """A graph message and what of it was played; "" when none of it was."""

    message_id: str
    text: str
    whole: bool


def corrections(heard: Sequence[HeardMessage], state: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Messages that make ``state`` say what was heard: cut, removed, or added where missing.

    A message that called tools is never removed, only emptied, so that the tools' answers keep
    the call they belong to.
    """
    known = {message.id: message for message in state}
    changes: list[BaseMessage] = []
    for part in heard:
        before = known.get(part.message_id)
        match before:
            case AIMessage() if part.whole:
                continue
            case AIMessage() if part.text or before.tool_calls:
                changes.append(before.model_copy(update={"content": part.text}))
            case AIMessage():
                changes.append(RemoveMessage(id=part.message_id))
            case None if part.text:
                changes.append(AIMessage(content=part.text, id=part.message_id))
            case _:
                continue
    return changes


def stand_ins(state: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Answers for the tools that were called last and did not come to answer.

    Models refuse a conversation in which a called tool has no answer.
    """
    answered = {message.tool_call_id for message in state if isinstance(message, ToolMessage)}
    called = next((message for message in reversed(state) if isinstance(message, AIMessage)), None)
    return [
        ToolMessage(_CUT_TOOL, tool_call_id=str(call["id"]), name=call["name"], status="error")
        for call in (called.tool_calls if called else [])
        if call["id"] not in answered
    ]
