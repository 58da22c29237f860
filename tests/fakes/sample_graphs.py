"""A module of the kind named in ``langgraph.json``: a graph and its policy."""

from typing import Any

from langgraph.graph import END, START, MessagesState, StateGraph

from lastword.signals import CallPolicy


async def talk(state: MessagesState) -> None:
    return None


builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
builder.add_node("talk", talk)
builder.add_edge(START, "talk")
builder.add_edge("talk", END)
graph = builder.compile()
call_policy = CallPolicy(tail=1.5)
