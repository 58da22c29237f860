"""A graph that answers a goodbye with a farewell, for callers who speak over it.

A real worker serves it; the module-level names are those that ``langgraph.json`` refers to.
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
"""The offline recogniser may return the last two for "bye"."""
ANSWER = "Of course, I make a note of that."


class Farewells(CallState):
    """``said_goodbye``: the caller has heard the whole farewell."""

    said_goodbye: bool


async def listen(state: Farewells) -> dict[str, Any]:
    """Record whether the caller heard the whole farewell before speaking again."""
    match state.get("event"):
        case {"kind": "ending_cancelled", "farewell": str() as said, "heard": str() as heard}:
            whole = heard.split() == said.split()
            return {"said_goodbye": whole or state.get("said_goodbye", False)}
        case _:
            return {}


def route(state: Farewells) -> Literal["greet", "answer", "end"]:
    """Greet first; then end on "bye" and answer anything else."""
    if not state["messages"]:
        return "greet"
    words = state["messages"][-1].text.split()
    return "end" if words and words[-1] in GOODBYES else "answer"


async def greet(state: Farewells) -> dict[str, Any]:
    """Speak first; LiveKit ignores the caller for 3 s while its echo cancellation warms up."""
    return {"messages": [AIMessage(GREETING)]}


async def answer(state: Farewells) -> dict[str, Any]:
    """Give a fixed answer; the farewell follows."""
    return {"messages": [AIMessage(ANSWER)]}


async def end(state: Farewells) -> dict[str, Any]:
    """Say goodbye, briefly if the caller has heard the whole farewell."""
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
