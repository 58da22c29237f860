"""A graph that says goodbye to a goodbye and answers the rest, for callers who speak over it.

It is served by a real worker; its module-level names are those that ``langgraph.json`` is about.
"""

from __future__ import annotations

from typing import Any, Literal

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, StateGraph

from lastword.signals import CallPolicy, CallState

GREETING = "Hello, what can I do for you?"
FAREWELL = "Thank you for calling us today and have a very nice afternoon goodbye."
SHORT_FAREWELL = "Bye then."
GOODBYES = ("bye", "goodbye", "by", "buy")
"""The last two are what the offline recogniser may make of it."""
ANSWER = "Of course, I make a note of that."


class Farewells(CallState):
    """``said_goodbye``: the caller has heard the whole of it."""

    said_goodbye: bool


async def listen(state: Farewells) -> dict[str, Any]:
    """Take note of a goodbye that was heard whole before the caller spoke again."""
    match state.get("event"):
        case {"kind": "ending_cancelled", "farewell": str() as said, "heard": str() as heard}:
            whole = heard.split() == said.split()
            return {"said_goodbye": whole or state.get("said_goodbye", False)}
        case _:
            return {}


def route(state: Farewells) -> Literal["greet", "answer", "end"]:
    """Greet first; "bye" is a goodbye, and all else is something to answer."""
    if not state["messages"]:
        return "greet"
    words = state["messages"][-1].text.split()
    return "end" if words and words[-1] in GOODBYES else "answer"


async def greet(state: Farewells) -> dict[str, Any]:
    """Speak first; LiveKit hears nobody for its first 3 s, while it warms up against echo."""
    return {"messages": [AIMessage(GREETING)]}


async def answer(state: Farewells) -> dict[str, Any]:
    """Answer whatever it is; then the call can end."""
    return {"messages": [AIMessage(ANSWER)]}


async def end(state: Farewells) -> dict[str, Any]:
    """Say goodbye; a caller who has heard it all gets a short one."""
    answered = state["messages"][-1].text == ANSWER
    text = SHORT_FAREWELL if answered or state.get("said_goodbye") else FAREWELL
    return {"messages": [AIMessage(text)]}


builder: StateGraph[Any, Any, Any, Any] = StateGraph(Farewells)
for node in (listen, greet, answer, end):
    builder.add_node(node.__name__, node)
builder.add_edge(START, "listen")
builder.add_conditional_edges("listen", route)
builder.add_edge("greet", END)
builder.add_edge("answer", "end")
builder.add_edge("end", END)
graph = builder.compile(name="farewell")
call_policy = CallPolicy(end_token=None, tail=1.0)
