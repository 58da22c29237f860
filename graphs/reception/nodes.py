"""The front desk's nodes: one that talks, one that decides whether the tools were the end."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Any, Literal, Protocol

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, SystemMessage
from langgraph.runtime import Runtime

from graphs.call_events import VOICEMAIL, CallNode, event_node
from graphs.reception import prompts
from graphs.reception.state import ReceptionState
from graphs.reception.tools import TOOLS
from graphs.store import PracticeContext
from lastword.signals import Ending, end_call


class Desk(Protocol):
    """The node that talks."""

    def __call__(
        self, state: ReceptionState, runtime: Runtime[PracticeContext]
    ) -> Awaitable[dict[str, Any]]:
        """Answer the caller, or call tools."""


def front_desk(model: BaseChatModel) -> Desk:
    """Make the node that talks."""
    with_tools = model.bind_tools(TOOLS)

    async def desk(state: ReceptionState, runtime: Runtime[PracticeContext]) -> dict[str, Any]:
        caller = (runtime.context or {}).get("caller", "")
        instructions = SystemMessage(prompts.instructions(caller, datetime.now()))
        return {"messages": [await with_tools.ainvoke([instructions, *state["messages"]])]}

    return desk


def begin(state: ReceptionState) -> Literal["desk", CallNode]:
    """The desk answers the caller; an event needs no model."""
    return event_node(state) or "desk"


async def voicemail(state: ReceptionState) -> dict[str, Any]:
    """Who calls a front desk is no machine, as a rule; nobody is there to talk with."""
    ending = Ending(reason=VOICEMAIL, outcome={"written": state.get("written", [])})
    end_call(ending["reason"], ending["outcome"])
    return {"ending": ending, "messages": [AIMessage(prompts.FAREWELL_VOICEMAIL)]}


def after_tools(state: ReceptionState) -> Literal["desk", "__end__"]:
    """The farewell of ``end_call`` is the last word: no second model call after it."""
    return "__end__" if state.get("ending") else "desk"
