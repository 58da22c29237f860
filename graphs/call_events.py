"""How the sample graphs answer call events: silence, a key press, voicemail, a near limit."""

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
"""The reason of a call that an answering machine answered."""
GOODBYE_THEN = "Goodbye then!"
"""The short goodbye for a caller who has already heard the whole farewell."""

CallNode = Literal["still_there", "hurry", "in_words", "voicemail"]


def event_node(state: CallState) -> CallNode | None:
    """Return the node for this turn's event; None for the caller's words and for the opening."""
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
    """Return whether the caller heard the whole farewell and then spoke anyway."""
    match state.get("event"):
        case {"kind": "ending_cancelled", "farewell": str() as farewell, "heard": str() as heard}:
            return heard.split() == farewell.split()
        case _:
            return False


def open_question(state: CallState) -> str:
    """Return the last question that the agent asked, "" if there is none.

    A request to repeat does not count, nor does "Are you still there?".
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
    """Ask whether the caller is still there; without an answer the worker ends the call."""
    return _before_question(STILL_THERE, state)


async def hurry(state: CallState) -> dict[str, Any]:
    """Say that the call has to end soon."""
    return _before_question(TIME_IS_SHORT, state)


async def in_words(state: CallState) -> dict[str, Any]:
    """Ask for words: this graph does not use keys."""
    return _before_question(IN_WORDS, state)


def _before_question(text: str, state: CallState) -> dict[str, Any]:
    """Say ``text`` and repeat the open question, so that a "yes" answers that question."""
    return {"messages": [AIMessage(f"{text} {open_question(state)}".strip())]}
