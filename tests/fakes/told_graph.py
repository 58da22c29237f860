"""A graph that opens with the words in its dispatch's metadata; then silence ends the call."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime

from lastword.signals import CallContext, CallPolicy, CallState


async def talk(state: CallState, runtime: Runtime[CallContext]) -> dict[str, Any]:
    """Say the words in the metadata."""
    words = runtime.context.get("metadata", {}).get("words", "Hello.")
    return {"messages": [AIMessage(words)]}


builder: StateGraph[Any, Any, Any, Any] = StateGraph(CallState, context_schema=CallContext)
builder.add_node("talk", talk)
builder.add_edge(START, "talk")
graph = builder.compile(name="told")
call_policy = CallPolicy(silence_timeout=4, silence_reminders=0, silence_farewell="Goodbye.")
