"""What the sample graphs do when nobody speaks, or when the call has to end soon."""

from __future__ import annotations

from typing import Any, Literal

from langchain_core.messages import AIMessage

from graphs.call_signals import CallState

STILL_THERE = "Are you still there?"
TIME_IS_SHORT = "I am sorry, we have very little time left."

CallNode = Literal["still_there", "hurry"]


def event_node(state: CallState) -> CallNode | None:
    """The node for this turn's event; None when the turn is the caller's words or the opening."""
    match state.get("event"):
        case {"kind": "silence"}:
            return "still_there"
        case {"kind": "limit_near"}:
            return "hurry"
        case _:
            return None


def heard_goodbye(state: CallState) -> bool:
    """Whether the caller has heard the whole goodbye, and then spoken all the same."""
    match state.get("event"):
        case {"kind": "ending_cancelled", "farewell": str() as farewell, "heard": str() as heard}:
            return heard.split() == farewell.split()
        case _:
            return False


async def still_there(state: CallState) -> dict[str, Any]:  # noqa: ARG001 - LangGraph passes it
    """Ask whether anybody is there; when nobody answers, the worker ends the call."""
    return {"messages": [AIMessage(STILL_THERE)]}


async def hurry(state: CallState) -> dict[str, Any]:  # noqa: ARG001 - LangGraph passes it
    """Say that the call has to end."""
    return {"messages": [AIMessage(TIME_IS_SHORT)]}
