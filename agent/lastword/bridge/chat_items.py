"""What the bridge keeps in LiveKit's chat history: run pointers, operator answers, call events.

The chat history itself says which run was really spoken: every item that a run produced carries a
:class:`RunPointer`. A discarded run never enters the history, so its branch of checkpoints is
never continued.

Pure code: no clock, no loop, no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from livekit.agents.llm import ChatContext, ChatItem, ChatMessage, FunctionCall

from lastword.signals import CallEvent

POINTER_KEY = "lastword"
ANSWER_KEY = "lastword_answer"
CALL_EVENT_KEY = "lastword_call_event"


class Question(TypedDict):
    """An interrupt of the graph that has not been answered yet.

    ``words`` is what the caller hears; "" means that an operator has to answer. ``task`` and ``ns``
    name the LangGraph task that asks and its checkpoint namespace. ``answered`` counts the earlier
    questions of the same task that have been answered.
    """

    id: str
    words: str
    task: str
    ns: str
    answered: int


class PointedEnding(TypedDict):
    """The ending of a run: its reason, the whole farewell, the checkpoint before the end node.

    ``before`` is None when the ending did not come from an end node.
    """

    reason: str
    farewell: str
    before: str | None


class RunPointer(TypedDict):
    """What a run leaves in the chat history (``ChatMessage.extra["lastword"]``).

    ``checkpoint_id``: the newest checkpoint of the run; None when it wrote none.
    ``spoken``: (graph message id, offset in characters) of each message that the run spoke.
    ``told``: the caller's words as the run received them, by the id of their chat item.
    ``nodes``: the nodes that the run finished, in order.
    ``failures``: how many runs in a row have failed, including this one.
    ``ending``: present when the run ended the call.
    ``questions``: present when the graph waits for an answer.
    ``finished``: present when the run is over and neither ended the call nor asked anything.
    ``assumed``: the pointer of an earlier run whose answer was still playing when this run began.
    """

    checkpoint_id: str | None
    spoken: list[tuple[str, int]]
    told: dict[str, str]
    nodes: list[str]
    failures: int
    ending: NotRequired[PointedEnding]
    questions: NotRequired[list[Question]]
    finished: NotRequired[bool]
    assumed: NotRequired[RunPointer]


@dataclass(frozen=True)
class OperatorAnswer:
    """An operator's answer to the question that the graph waits for; ``value`` is any JSON."""

    value: Any


def run_pointer(item: ChatItem) -> RunPointer | None:
    """The pointer of the run that produced ``item``; None if no run produced it."""
    if isinstance(item, ChatMessage | FunctionCall):
        pointer: RunPointer | None = item.extra.get(POINTER_KEY)
        return pointer
    return None


def operator_answer_item(value: Any) -> ChatMessage:
    """A chat item that answers the graph's open question for an operator; ``value`` is any JSON."""
    return ChatMessage(role="system", content=[str(value)], extra={ANSWER_KEY: value})


def newest_operator_answer(items: Sequence[ChatItem]) -> OperatorAnswer | None:
    """The newest operator answer among ``items``."""
    for item in reversed(items):
        if isinstance(item, ChatMessage) and ANSWER_KEY in item.extra:
            return OperatorAnswer(item.extra[ANSWER_KEY])
    return None


def call_event_item(event: CallEvent) -> ChatMessage:
    """A chat item that tells the graph about something that happened to the call."""
    return ChatMessage(role="system", content=[event_text(event)], extra={CALL_EVENT_KEY: event})


def newest_call_event(items: Sequence[ChatItem]) -> CallEvent | None:
    """The newest call event among ``items``."""
    for item in reversed(items):
        if isinstance(item, ChatMessage) and CALL_EVENT_KEY in item.extra:
            event: CallEvent = item.extra[CALL_EVENT_KEY]
            return event
    return None


def call_event_is_newest(items: Sequence[ChatItem]) -> bool:
    """Whether a call event came after the caller's last words among ``items``."""
    for item in reversed(items):
        if isinstance(item, ChatMessage) and (CALL_EVENT_KEY in item.extra or item.role == "user"):
            return item.role != "user"
    return False


def event_text(event: CallEvent) -> str:
    """An event in words, for a graph whose state has no channel for it."""
    match event:
        case {"kind": "silence", "seconds": seconds}:
            return f"(The caller has said nothing for {seconds:.0f} seconds.)"
        case {"kind": "limit_near", "seconds_left": seconds_left}:
            return f"(This call has to end in {seconds_left:.0f} seconds.)"
        case {"kind": "voicemail", "words": str(words)}:
            return f"(An answering machine has taken the call. It says: {words})"
        case {"kind": "keypad", "keys": str(keys)}:
            return f"(The caller has pressed {' '.join(keys)} on the keypad.)"
        case _:
            return f"({event['kind']})"


def item_text(item: ChatItem) -> str:
    """The text of a message; "" for any other item."""
    return (item.raw_text_content or "") if isinstance(item, ChatMessage) else ""


def newest_message_id(history: ChatContext) -> str | None:
    """Id of the newest message in ``history``."""
    return next((item.id for item in reversed(history.items) if item.type == "message"), None)


def graph_messages(items: Sequence[ChatItem]) -> list[BaseMessage]:
    """Chat items as messages for the graph, with the items' ids; empty items are left out."""
    kinds: dict[str, Any] = {
        "user": HumanMessage,
        "assistant": AIMessage,
        "system": SystemMessage,
        "developer": SystemMessage,
    }
    return [
        kinds[item.role](content=text, id=item.id)
        for item in items
        if isinstance(item, ChatMessage)
        and not {ANSWER_KEY, CALL_EVENT_KEY} & item.extra.keys()
        and (text := item.raw_text_content)
    ]
