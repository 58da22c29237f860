"""The survey's one node: it talks."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Literal, Protocol

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import SystemMessage

from graphs.call_events import CallNode, event_node
from graphs.call_signals import DEFAULT_REASON, END_TOKEN, Ending
from graphs.survey import prompts
from graphs.survey.state import SurveyState
from graphs.survey.tools import TOOLS


class Interview(Protocol):
    """The node that talks."""

    def __call__(self, state: SurveyState) -> Awaitable[dict[str, Any]]:
        """Ask, record, or say goodbye."""


def interviewer(model: BaseChatModel) -> Interview:
    """Make the node that talks. The end token in its stream ends the call."""
    with_tools = model.bind_tools(TOOLS)

    async def interview(state: SurveyState) -> dict[str, Any]:
        instructions = SystemMessage(prompts.INSTRUCTIONS)
        reply = await with_tools.ainvoke([instructions, *state["messages"]])
        ended = END_TOKEN in reply.text
        return {"messages": [reply], **({"ending": ending(state)} if ended else {})}

    return interview


def begin(state: SurveyState) -> Literal["interview", CallNode]:
    """The model answers the caller; a silence needs no model."""
    return event_node(state) or "interview"


def ending(state: SurveyState) -> Ending:
    """Reason "completed" when all is answered, "stopped" in between, "declined" before."""
    answers = state.get("answers", {})
    complete = len(answers) == len(prompts.QUESTIONS)
    reason = DEFAULT_REASON if complete else "stopped" if answers else "declined"
    return Ending(reason=reason, outcome={"answers": answers})
