"""Read LiveKit's chat history as the graph's next turn.

Pure code: no clock, no loop, no network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from livekit.agents.llm import ChatContext, ChatItem, ChatMessage

from lastword.bridge.corrections import HeardMessage
from lastword.bridge.run_pointer import Question, RunPointer, run_pointer
from lastword.signals import CallEvent, EndingCancelled

ANSWER_KEY = "lastword_answer"
CALL_EVENT_KEY = "lastword_call_event"


@dataclass(frozen=True)
class OperatorAnswer:
    """An operator's answer to the question that the graph waits for; any JSON."""

    value: Any


@dataclass(frozen=True)
class Turn:
    """What a turn has to send to the graph.

    ``checkpoint_id`` is the state to continue from (None: the beginning of the call), ``new`` the
    items the graph has not seen, ``heard`` the messages of the last spoken run that the state at
    ``checkpoint_id`` does not show the way they were heard.
    """

    checkpoint_id: str | None
    new: list[BaseMessage]
    heard: list[HeardMessage] = field(default_factory=list)
    respelled: list[BaseMessage] = field(default_factory=list)
    """Words of the caller that LiveKit has spelled anew since the graph was told them."""
    failures: int = 0
    """Runs in a row that failed before this turn."""
    broken_off: bool = False
    """The run at ``checkpoint_id`` may have been cut, or have failed, between two steps."""
    cancelled: EndingCancelled | None = None
    """The ending that this turn's words have cancelled."""
    questions: list[Question] = field(default_factory=list)
    """What the graph waits for; the first one is answered next."""
    item_id: str | None = None
    """The newest message of the chat: the run is found by it if nothing of it is heard."""
    assumed: RunPointer | None = None
    """A run whose answer is still being heard; it is taken for heard whole until it is known."""
    operator_answer: OperatorAnswer | None = None
    """What an operator has answered to the first question."""
    words_are_old: bool = False
    """Nothing remembers, so all words are in ``new``; only the event is to be answered."""
    event: CallEvent | None = None
    """What has happened to the call, beside the caller's words."""

    @property
    def caller_item(self) -> str | None:
        """Id of the caller's newest words; None when the turn has none."""
        return next(reversed(self.told), None)

    @property
    def told(self) -> dict[str, str]:
        """The caller's new words by the id of their chat item."""
        said = [message for message in self.new if isinstance(message, HumanMessage)]
        return {message.id: message.text for message in said if message.id}

    @property
    def words(self) -> list[str]:
        """What the caller has said that the graph has not heard."""
        return [] if self.words_are_old else list(self.told.values())


def read_turn(
    history: ChatContext,
    *,
    remembers: bool,
    unheard: Mapping[str, RunPointer] | None = None,
    playing: bool = False,
) -> Turn:
    """Read from the history where the graph is to go on, and with what.

    Args:
        history: the chat, ending with what is to be answered.
        remembers: there are checkpoints; without them everything is new on every turn.
        unheard: pointers of runs by the id of the item they answered. One of them counts when
            nothing of its run was heard, so that no item of the agent's carries it.
        playing: the agent is speaking, so an answer may be unheard only because it is not over.
    """
    items, unheard = history.items, unheard or {}

    def pointer_of(item: ChatItem) -> RunPointer | None:
        return unheard.get(item.id) or run_pointer(item)

    found = (pointer_of(item) for item in reversed(items))  # a long call is not read to its start
    failures = next((pointer["failures"] for pointer in found if pointer), 0)
    at = _last_pointer(items, pointer_of) if remembers else -1
    news = [item for item in items[at + 1 :] if run_pointer(item) is None or not remembers]
    turn = Turn(
        None,
        messages_of(news),
        failures=failures,
        item_id=newest_message(history),
        event=_call_event(news),
        words_are_old=not remembers and _event_is_newest(news),
    )
    pointer = pointer_of(items[at]) if at >= 0 else None
    if pointer is None:
        return turn
    turn = replace(turn, respelled=messages_of(_respelled(items, pointer["told"])))
    if playing and pointer.get("finished") and run_pointer(items[at]) is not pointer:
        return replace(turn, checkpoint_id=pointer["checkpoint_id"], assumed=pointer)
    turn = _go_on(turn, pointer, items[at], news)
    if assumed := pointer.get("assumed"):
        turn = replace(turn, heard=[*_heard_since(assumed, items), *turn.heard])
    return turn


def newest_message(history: ChatContext) -> str | None:
    """Id of the chat's newest message."""
    return next((item.id for item in reversed(history.items) if item.type == "message"), None)


def _respelled(items: Sequence[ChatItem], told: Mapping[str, str]) -> list[ChatItem]:
    """Items that no longer say what a run was told; they are among the newest."""
    changed: list[ChatItem] = []
    left = len(told)
    for item in reversed(items):
        if not left:
            break
        if item.id in told:
            left -= 1
            changed += [item] if _text(item) != told[item.id] else []
    return changed[::-1]


def _go_on(turn: Turn, pointer: RunPointer, item: ChatItem, news: Sequence[ChatItem]) -> Turn:
    """``turn`` as it follows the run behind ``item``."""
    turn = replace(
        turn, checkpoint_id=pointer["checkpoint_id"], questions=pointer.get("questions", [])
    )
    if turn.questions:
        turn = replace(turn, operator_answer=_operator_answer(news))
    is_spoken = run_pointer(item) is pointer
    cut = not is_spoken or _was_cut(item)
    ending = pointer.get("ending")
    if not (ending or pointer["failures"] or cut):
        return turn
    text = _text(item) if is_spoken else ""
    turn = replace(turn, heard=_heard(pointer["spoken"], text), broken_off=True)
    if ending is None:
        return turn
    cancelled = EndingCancelled(
        kind="ending_cancelled", reason=ending["reason"], farewell=ending["farewell"], heard=text
    )
    if ending["before"] is not None:
        turn = replace(turn, checkpoint_id=ending["before"], broken_off=False)
    return replace(turn, cancelled=cancelled)


def _heard_since(assumed: RunPointer, items: Sequence[ChatItem]) -> list[HeardMessage]:
    """What was heard of an answer that a later run took for heard whole."""
    for item in items:
        pointer = run_pointer(item)
        if pointer and pointer["checkpoint_id"] == assumed["checkpoint_id"]:
            return _heard(assumed["spoken"], _text(item)) if _was_cut(item) else []
    return _heard(assumed["spoken"], "")


def operator_answer(value: Any) -> ChatMessage:
    """A chat item with which an operator answers the graph's question; ``value`` is any JSON."""
    return ChatMessage(role="system", content=[str(value)], extra={ANSWER_KEY: value})


def call_event(event: CallEvent) -> ChatMessage:
    """A chat item that tells the graph of something that happened to the call."""
    return ChatMessage(role="system", content=[event_text(event)], extra={CALL_EVENT_KEY: event})


def event_text(event: CallEvent) -> str:
    """An event in words, for a graph that has no channel for it."""
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


def _call_event(news: Sequence[ChatItem]) -> CallEvent | None:
    """The newest event among ``news``."""
    for item in reversed(news):
        if isinstance(item, ChatMessage) and CALL_EVENT_KEY in item.extra:
            event: CallEvent = item.extra[CALL_EVENT_KEY]
            return event
    return None


def _event_is_newest(news: Sequence[ChatItem]) -> bool:
    """Whether an event has happened since the caller spoke."""
    for item in reversed(news):
        if isinstance(item, ChatMessage) and (CALL_EVENT_KEY in item.extra or item.role == "user"):
            return item.role != "user"
    return False


def _operator_answer(news: Sequence[ChatItem]) -> OperatorAnswer | None:
    for item in reversed(news):
        if isinstance(item, ChatMessage) and ANSWER_KEY in item.extra:
            return OperatorAnswer(item.extra[ANSWER_KEY])
    return None


def _last_pointer(
    items: Sequence[ChatItem], pointer_of: Callable[[ChatItem], RunPointer | None]
) -> int:
    """Index of the item to go on from: a run's spoken message, else its ``end_call`` item.

    A run that left no checkpoint is passed over, so what it was told is told again. -1: there is
    no run to go on from.
    """
    for index in range(len(items) - 1, -1, -1):
        if not _has_checkpoint(pointer_of(items[index])):
            continue
        earlier = index - 1
        if items[index].type == "function_call" and earlier >= 0:
            spoken = items[earlier]
            if run_pointer(spoken) is not None and _has_checkpoint(pointer_of(spoken)):
                return earlier
        return index
    return -1


def _has_checkpoint(pointer: RunPointer | None) -> bool:
    return pointer is not None and pointer["checkpoint_id"] is not None


def _was_cut(item: ChatItem) -> bool:
    return item.type == "message" and item.interrupted


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


def messages_of(items: Sequence[ChatItem]) -> list[BaseMessage]:
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
        if isinstance(item, ChatMessage)
        and not {ANSWER_KEY, CALL_EVENT_KEY} & item.extra.keys()
        and (text := item.raw_text_content)
    ]
