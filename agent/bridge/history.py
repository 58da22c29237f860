"""Translate between LiveKit's chat history and the graph's input.

The chat history itself says which run was really spoken: every assistant item that a run
produced carries a :class:`RunPointer`. A run that was discarded never enters the history, so its
branch of checkpoints is simply left behind. Pure code: no clock, no loop, no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
)
from livekit.agents.llm import ChatContext, ChatItem, ChatMessage, FunctionCall

POINTER_KEY = "lastword"


class RunPointer(TypedDict):
    """What a run leaves in the chat history (``ChatMessage.extra["lastword"]``).

    ``checkpoint_id`` is the newest checkpoint of the run (None: it did not get as far as its first,
    or nothing remembers); ``before_end`` the one whose next node
    is the end node; ``spoken`` has (graph message id, offset in characters) for every message
    that the run spoke; ``nodes`` is the run's way through the graph; ``ended`` tells that the run
    carried an ending; ``failures`` counts how many runs in a row have failed, this one included.
    """

    checkpoint_id: str | None
    before_end: NotRequired[str]
    spoken: list[tuple[str, int]]
    nodes: list[str]
    ended: bool
    failures: int


@dataclass(frozen=True)
class HeardMessage:
    """A graph message and what of it was played; "" when none of it was."""

    message_id: str
    text: str
    whole: bool


@dataclass(frozen=True)
class Turn:
    """What a turn has to send to the graph.

    ``checkpoint_id`` is the state to continue from (None: the beginning of the call), ``new`` the
    items the graph has not seen, ``heard`` the messages of the last spoken run that the state at
    ``checkpoint_id`` does not show the way they were heard.
    """

    checkpoint_id: str | None
    new: list[BaseMessage]
    heard: list[HeardMessage]
    failures: int = 0
    """Runs in a row that failed before this turn."""

    @property
    def caller_item(self) -> str | None:
        """Id of the caller's newest words; None when the turn has none."""
        said = [message.id for message in self.new if isinstance(message, HumanMessage)]
        return said[-1] if said else None


def read_turn(history: ChatContext, *, remembers: bool) -> Turn:
    """Read from the history where the graph is to go on, and with what.

    Without a checkpointer (``remembers`` false) everything is new on every turn.
    """
    items = history.items
    failures = _failures(items)
    if not remembers:
        return Turn(None, _messages(items), [], failures)
    at = _last_pointer(items)
    new = _messages([item for item in items[at + 1 :] if run_pointer(item) is None])
    pointer = run_pointer(items[at]) if at >= 0 else None
    if pointer is None:
        return Turn(None, new, [], failures)
    item = items[at]
    cut = item.type == "message" and item.interrupted
    if not (pointer["ended"] or pointer["failures"] or cut):
        return Turn(pointer["checkpoint_id"], new, [], failures)
    heard = _heard(pointer["spoken"], _text(item))
    base = pointer.get("before_end") if pointer["ended"] else None
    return Turn(base or pointer["checkpoint_id"], new, heard, failures)


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


def _failures(items: Sequence[ChatItem]) -> int:
    """How many of the last spoken runs have failed in a row."""
    for item in reversed(items):
        if (pointer := run_pointer(item)) is not None:
            return pointer["failures"]
    return 0


def _last_pointer(items: Sequence[ChatItem]) -> int:
    """Index of the item to go on from: a run's spoken message, else its ``end_call`` item.

    A run that left no checkpoint is passed over, so what it was told is told again. -1: there is
    no run to go on from.
    """
    for index in range(len(items) - 1, -1, -1):
        if not _has_checkpoint(items[index]):
            continue
        earlier = index - 1
        if items[index].type == "function_call" and earlier >= 0:
            spoken = items[earlier]
            if spoken.type == "message" and _has_checkpoint(spoken):
                return earlier
        return index
    return -1


def _has_checkpoint(item: ChatItem) -> bool:
    pointer = run_pointer(item)
    return pointer is not None and pointer["checkpoint_id"] is not None


def run_pointer(item: ChatItem) -> RunPointer | None:
    """The pointer that the run behind ``item`` left in it; None for an item of no run."""
    if isinstance(item, ChatMessage | FunctionCall):
        pointer: RunPointer | None = item.extra.get(POINTER_KEY)
        return pointer
    return None


def _text(item: ChatItem) -> str:
    return (item.raw_text_content or "") if isinstance(item, ChatMessage) else ""


def _heard(spoken: Sequence[tuple[str, int]], text: str) -> list[HeardMessage]:
    """Divide what was heard among the messages that were spoken."""
    ends = [start for _, start in spoken[1:]]
    heard = [
        HeardMessage(message_id, text[start:end].strip(), len(text) > end)
        for (message_id, start), end in zip(spoken, ends, strict=False)
    ]
    if spoken:
        message_id, start = spoken[-1]
        heard.append(HeardMessage(message_id, text[start:].strip(), whole=False))
    return [part for part in heard if part.message_id]


def _messages(items: Sequence[ChatItem]) -> list[BaseMessage]:
    """Chat items as graph messages, with the items' ids; empty ones are left out."""
    kinds: dict[str, Any] = {
        "user": HumanMessage,
        "assistant": AIMessage,
        "system": SystemMessage,
        "developer": SystemMessage,
    }
    return [
        kinds[item.role](content=text, id=item.id)
        for item in items
        if isinstance(item, ChatMessage) and (text := item.raw_text_content)
    ]
