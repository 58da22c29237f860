"""What the sample graphs do about what is no words of the caller's: silence, a key, a machine."""

from __future__ import annotations

import re
from typing import Any, Literal

from langchain_core.messages import AIMessage

from graphs.rule_model import SAY_AGAIN
from lastword.signals import CallState

STILL_THERE = "Are you still there?"
TIME_IS_SHORT = "I am sorry, we have very little time left."
IN_WORDS = "Please tell me in words."
VOICEMAIL = "voicemail"
"""The reason of a call that an answering machine has taken."""
GOODBYE_THEN = "Goodbye then!"
"""The goodbye for a caller who has heard the whole of it already."""

CallNode = Literal["still_there", "hurry", "in_words", "voicemail"]


def event_node(state: CallState) -> CallNode | None:
    """The node for this turn's event; None when the turn is the caller's words or the opening."""
    match state.get("event"):
        case {"kind": "silence"}:
            return "still_there"
        case {"kind": "limit_near"}:
            return "hurry"
        case {"kind": "keypad"}:
            return "in_words"
        case {"kind": "voicemail"}:
            return "voicemail"
        case _:
            return None


def heard_goodbye(state: CallState) -> bool:
    """Whether the caller has heard the whole goodbye, and then spoken all the same."""
    match state.get("event"):
        case {"kind": "ending_cancelled", "farewell": str() as farewell, "heard": str() as heard}:
            return heard.split() == farewell.split()
        case _:
            return False


def open_question(state: CallState) -> str:
    """The question that the agent asked last, "" when there is none.

    A request to repeat is none, and neither is whether anybody is there.
    """
    for message in reversed(state["messages"]):
        if isinstance(message, AIMessage):
            sentences = re.split(r"(?<=[.?!]) ", message.text.strip())
            asked = [one for one in sentences if one.endswith("?") and one not in _NO_QUESTIONS]
            if asked:
                return asked[-1]
    return ""


_NO_QUESTIONS = (STILL_THERE, *re.split(r"(?<=[.?!]) ", SAY_AGAIN))


async def still_there(state: CallState) -> dict[str, Any]:
    """Ask whether anybody is there; when nobody answers, the worker ends the call."""
    return _before_question(STILL_THERE, state)


async def hurry(state: CallState) -> dict[str, Any]:
    """Say that the call has to end."""
    return _before_question(TIME_IS_SHORT, state)


async def in_words(state: CallState) -> dict[str, Any]:
    """Keys mean nothing here."""
    return _before_question(IN_WORDS, state)


def _before_question(text: str, state: CallState) -> dict[str, Any]:
    """``text`` and then the open question again, so that a "yes" does not mislead."""
    return {"messages": [AIMessage(f"{text} {open_question(state)}".strip())]}
