"""The front desk's nodes and routers."""

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
    """The node that speaks and calls tools."""

    def __call__(
        self, state: ReceptionState, runtime: Runtime[PracticeContext]
    ) -> Awaitable[dict[str, Any]]:
        """Answer the caller, or call tools."""


def front_desk(model: BaseChatModel) -> Desk:
    """Create the node that speaks and calls tools."""
    with_tools = model.bind_tools(TOOLS)

    async def desk(state: ReceptionState, runtime: Runtime[PracticeContext]) -> dict[str, Any]:
        caller = (runtime.context or {}).get("caller", "")
        instructions = SystemMessage(prompts.instructions(caller, datetime.now()))
        return {"messages": [await with_tools.ainvoke([instructions, *state["messages"]])]}

    return desk


def begin(state: ReceptionState) -> Literal["desk", CallNode]:
    """Send the caller's words to the desk; events are answered without the model."""
    return event_node(state) or "desk"


async def voicemail(state: ReceptionState) -> dict[str, Any]:
    """End a call from an answering machine, which rarely calls a front desk."""
    ending = Ending(reason=VOICEMAIL, outcome={"written": state.get("written", [])})
    end_call(ending["reason"], ending["outcome"])
    return {"ending": ending, "messages": [AIMessage(prompts.FAREWELL_VOICEMAIL)]}


def after_tools(state: ReceptionState) -> Literal["desk", "__end__"]:
    """Stop after ``end_call``: its farewell is said, so the model is not called again."""
    return "__end__" if state.get("ending") else "desk"
