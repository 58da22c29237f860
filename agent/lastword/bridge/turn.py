"""Read LiveKit's chat history as the graph's next turn, and correct what the graph remembers.

Pure code: no clock, no loop, no network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    ToolMessage,
)
from livekit.agents.llm import ChatContext, ChatItem

from lastword.bridge.chat_items import (
    OperatorAnswer,
    Question,
    RunPointer,
    call_event_is_newest,
    graph_messages,
    item_text,
    newest_call_event,
    newest_message_id,
    newest_operator_answer,
    run_pointer,
)
from lastword.signals import CallEvent, EndingCancelled

_UNANSWERED_TOOL = "Not known whether this was done: the caller spoke before the answer came."


@dataclass(frozen=True)
class HeardMessage:
    """A message of the graph and the part of it that was played; "" when none of it was.

    ``whole``: it was played to its end.
    """

    message_id: str
    text: str
    whole: bool


@dataclass(frozen=True)
class Turn:
    """What a turn sends to the graph.

    ``checkpoint_id`` is the state to continue from (None: the beginning of the call), ``new`` what
    the graph has not seen yet. ``heard`` lists the messages of the last spoken run that the state
    at ``checkpoint_id`` may hold differently from how they were played.
    """

    checkpoint_id: str | None
    new: list[BaseMessage]
    heard: list[HeardMessage] = field(default_factory=list)
    respelled: list[BaseMessage] = field(default_factory=list)
    """Words of the caller that LiveKit has transcribed again since the graph received them."""
    failures: int = 0
    """How many runs in a row failed before this turn."""
    broken_off: bool = False
    """The run at ``checkpoint_id`` may have been cut, or may have failed, between two steps."""
    cancelled: EndingCancelled | None = None
    """The ending that this turn's words have cancelled."""
    questions: list[Question] = field(default_factory=list)
    """What the graph waits for; the first one is answered next."""
    item_id: str | None = None
    """Id of the newest message of the chat; the pointer of an unheard run is kept under it."""
    assumed: RunPointer | None = None
    """A run whose answer is still playing; until it is over, all of it counts as heard."""
    operator_answer: OperatorAnswer | None = None
    """An operator's answer to the first question."""
    words_are_old: bool = False
    """``new`` is the whole chat of a graph without memory; only ``event`` is to be answered."""
    event: CallEvent | None = None
    """What happened to the call since the last turn."""

    @property
    def caller_item(self) -> str | None:
        """Id of the chat item with the caller's newest words; None without new words."""
        return next(reversed(self.told), None)

    @property
    def told(self) -> dict[str, str]:
        """The caller's new words by the id of their chat item."""
        said = [message for message in self.new if isinstance(message, HumanMessage)]
        return {message.id: message.text for message in said if message.id}

    @property
    def words(self) -> list[str]:
        """What the caller has said that has to be answered."""
        return [] if self.words_are_old else list(self.told.values())


def read_turn(
    history: ChatContext,
    *,
    remembers: bool,
    unheard: Mapping[str, RunPointer] | None = None,
    playing: bool = False,
) -> Turn:
    """Read from the history where the graph continues, and with what input.

    Args:
        history: the chat; its newest items are what is to be answered.
        remembers: the graph has checkpoints; without them the whole chat is new on every turn.
        unheard: pointers of runs, by the id of the chat item that each run answered. They are
            needed for runs of which nothing was played: no item of the agent carries their pointer.
        playing: the agent is speaking, so an answer may be unheard only because it is not over.
    """
    items, unheard = history.items, unheard or {}

    def pointer_of(item: ChatItem) -> RunPointer | None:
        return unheard.get(item.id) or run_pointer(item)

    # Lazily from the end: the whole history of a long call is never searched.
    found = (pointer_of(item) for item in reversed(items))
    failures = next((pointer["failures"] for pointer in found if pointer), 0)
    at = _last_pointer(items, pointer_of) if remembers else -1
    news = [item for item in items[at + 1 :] if run_pointer(item) is None or not remembers]
    turn = Turn(
        None,
        graph_messages(news),
        failures=failures,
        item_id=newest_message_id(history),
        event=newest_call_event(news),
        words_are_old=not remembers and call_event_is_newest(news),
    )
    pointer = pointer_of(items[at]) if at >= 0 else None
    if pointer is None:
        return turn
    turn = replace(turn, respelled=graph_messages(_respelled(items, pointer["told"])))
    if playing and pointer.get("finished") and run_pointer(items[at]) is not pointer:
        return replace(turn, checkpoint_id=pointer["checkpoint_id"], assumed=pointer)
    turn = _continue_run(turn, pointer, items[at], news)
    if assumed := pointer.get("assumed"):
        turn = replace(turn, heard=[*_heard_since(assumed, items), *turn.heard])
    return turn


def _respelled(items: Sequence[ChatItem], told: Mapping[str, str]) -> list[ChatItem]:
    """Items whose text is no longer what the run received; searched from the newest."""
    changed: list[ChatItem] = []
    left = len(told)
    for item in reversed(items):
        if not left:
            break
        if item.id in told:
            left -= 1
            changed += [item] if item_text(item) != told[item.id] else []
    return changed[::-1]


def _continue_run(
    turn: Turn, pointer: RunPointer, item: ChatItem, news: Sequence[ChatItem]
) -> Turn:
    """``turn`` as it continues the run that ``pointer`` describes and ``item`` belongs to."""
    turn = replace(
        turn, checkpoint_id=pointer["checkpoint_id"], questions=pointer.get("questions", [])
    )
    if turn.questions:
        turn = replace(turn, operator_answer=newest_operator_answer(news))
    is_spoken = run_pointer(item) is pointer
    cut = not is_spoken or _was_cut(item)
    ending = pointer.get("ending")
    if not (ending or pointer["failures"] or cut):
        return turn
    text = item_text(item) if is_spoken else ""
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
    """What was really heard of an answer that a later run assumed to be heard in full."""
    for item in items:
        pointer = run_pointer(item)
        if pointer and pointer["checkpoint_id"] == assumed["checkpoint_id"]:
            return _heard(assumed["spoken"], item_text(item)) if _was_cut(item) else []
    return _heard(assumed["spoken"], "")


def _last_pointer(
    items: Sequence[ChatItem], pointer_of: Callable[[ChatItem], RunPointer | None]
) -> int:
    """Index of the item to continue from: a run's spoken message, else its ``end_call`` item.

    A run that wrote no checkpoint is skipped, so its input is sent again. -1: no run to continue.
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


def _heard(spoken: Sequence[tuple[str, int]], text: str) -> list[HeardMessage]:
    """Divide the played ``text`` among the messages that were spoken."""
    ends = [start for _, start in spoken[1:]]
    heard = [
        HeardMessage(message_id, text[start:end].strip(), len(text) > end)
        for (message_id, start), end in zip(spoken, ends, strict=False)
    ]
    if spoken:
        message_id, start = spoken[-1]
        heard.append(HeardMessage(message_id, text[start:].strip(), whole=False))
    return [part for part in heard if part.message_id]


def corrections(heard: Sequence[HeardMessage], state: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Updates that make the messages in ``state`` hold what was heard: cut, removed, or added.

    A message that called tools is emptied, never removed, so that the tools' answers still have
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


def missing_tool_answers(state: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Error answers for the tool calls of the last AI message in ``state`` that have no answer.

    Models refuse a conversation in which a tool call has no answer.
    """
    answered = {message.tool_call_id for message in state if isinstance(message, ToolMessage)}
    called = next((message for message in reversed(state) if isinstance(message, AIMessage)), None)
    return [
        ToolMessage(
            _UNANSWERED_TOOL, tool_call_id=str(call["id"]), name=call["name"], status="error"
        )
        for call in (called.tool_calls if called else [])
        if call["id"] not in answered
    ]
