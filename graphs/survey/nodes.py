"""The survey's nodes: one that speaks, and two for call events."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Literal, Protocol

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from graphs.call_events import VOICEMAIL, CallNode, event_node, open_question
from graphs.spoken_numbers import number_in_words
from graphs.survey import prompts
from graphs.survey.state import SurveyState
from graphs.survey.tools import TOOLS
from lastword.signals import DEFAULT_REASON, END_TOKEN, Ending


class Interview(Protocol):
    """The node that speaks."""

    def __call__(self, state: SurveyState) -> Awaitable[dict[str, Any]]:
        """Ask, record, or say goodbye."""


def interviewer(model: BaseChatModel) -> Interview:
    """Create the node that speaks. The end token in its stream ends the call."""
    with_tools = model.bind_tools(TOOLS)

    async def interview(state: SurveyState) -> dict[str, Any]:
        instructions = SystemMessage(prompts.INSTRUCTIONS)
        reply = await with_tools.ainvoke([instructions, *state["messages"]])
        ended = END_TOKEN in reply.text
        return {"messages": [reply], **({"ending": ending(state)} if ended else {})}

    return interview


def begin(state: SurveyState) -> Literal["interview", "pressed", CallNode]:
    """Send words, and a key pressed as a rating, to the model; other events to their nodes."""
    node = event_node(state)
    if node == "in_words" and _rated(state) is not None:
        return "pressed"
    return node or "interview"


async def pressed(state: SurveyState) -> dict[str, Any]:
    """Turn a key from one to five into the spoken number."""
    return {"messages": [HumanMessage(number_in_words(_rated(state) or 0))]}


async def voicemail(state: SurveyState) -> dict[str, Any]:
    """End the call on an answering machine without a word about the customer."""
    ended = Ending(reason=VOICEMAIL, outcome={"answers": state.get("answers", {})})
    return {"ending": ended, "messages": [AIMessage(prompts.FAREWELL_VOICEMAIL)]}


def _rated(state: SurveyState) -> int | None:
    """Return the rating that the caller pressed; None if none was asked for or pressed."""
    match state.get("event"):
        case {"kind": "keypad", "keys": str() as keys} if open_question(state) == prompts.RATING:
            key = keys.removesuffix("#")  # callers may end their input with it
            return int(key) if key in prompts.RATING_KEYS else None
        case _:
            return None


def ending(state: SurveyState) -> Ending:
    """Return the ending: "completed" with all answers, "stopped" with some, else "declined"."""
    answers = state.get("answers", {})
    complete = len(answers) == len(prompts.QUESTIONS)
    reason = DEFAULT_REASON if complete else "stopped" if answers else "declined"
    return Ending(reason=reason, outcome={"answers": answers})
