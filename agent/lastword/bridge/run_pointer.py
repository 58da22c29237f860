"""What a run of the graph leaves behind in LiveKit's chat history.

The chat history itself says which run was really spoken: every item that a run produced carries a
:class:`RunPointer`. A run that was discarded never enters the history, so its branch of
checkpoints is simply left behind.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

from livekit.agents.llm import ChatItem, ChatMessage, FunctionCall

POINTER_KEY = "lastword"


class Question(TypedDict):
    """An interrupt of the graph that nobody has answered yet.

    ``words`` is what the caller hears of it; "" when it is not for the caller to answer, but for an
    operator; ``task`` and ``ns`` say which task of which graph asks; ``answered`` counts the
    questions of that task that have been answered before.
    """

    id: str
    words: str
    task: str
    ns: str
    answered: int


class PointedEnding(TypedDict):
    """The ending that a run carried: reason, whole farewell, checkpoint before the end node."""

    reason: str
    farewell: str
    before: str | None


class RunPointer(TypedDict):
    """What a run leaves in the chat history (``ChatMessage.extra["lastword"]``).

    ``checkpoint_id`` is the newest checkpoint of the run (None: it did not get as far as its first,
    or nothing remembers); ``spoken`` has (graph message id, offset in characters) for every message
    that the run spoke; ``told`` is the caller's words by the id of their chat item, as the run got
    them; ``nodes`` is the run's way through the graph; ``failures`` counts how many runs in a row
    have failed, this one included; ``ending`` and ``questions`` are there when the run came to its
    end, or waits for an answer; ``finished`` when the graph has nothing more to
    say. ``assumed`` is the pointer of a run that was still being heard when this one began.
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


def run_pointer(item: ChatItem) -> RunPointer | None:
    """The pointer that the run behind ``item`` left in it; None for an item of no run."""
    if isinstance(item, ChatMessage | FunctionCall):
        pointer: RunPointer | None = item.extra.get(POINTER_KEY)
        return pointer
    return None
