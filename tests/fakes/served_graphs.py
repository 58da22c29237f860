"""Small graphs that run both on a LangGraph server and in this process; no model, no key.

``served_graphs.json`` names them for ``langgraph dev``.
"""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import Send, interrupt

from lastword.signals import CallPolicy, CallState, end_call, say
from tests.fakes.scripted_graph import ScriptedModel

Graph = Pregel[Any, Any, Any, Any]


async def _streamed(text: str) -> AIMessage:
    """Stream ``text`` word by word, as a model does; return the message."""
    words = [f"{word} " for word in text.split()]
    words[-1] = words[-1].rstrip()
    answer = await ScriptedModel(answers=[words]).ainvoke("answer")
    return AIMessage(answer.text, id=answer.id)


async def talk(state: CallState) -> dict[str, Any]:
    """Do what the caller's words ask for."""
    messages = state["messages"]
    if not messages:
        return {"messages": [AIMessage(f"Opened by {state.get('event')}.")]}
    match messages[-1].text.split():
        case ["recall"]:
            told = " / ".join(message.text for message in messages[:-1])
            return {"messages": [await _streamed(f"You told me: {told}")]}
        case ["signal", reason]:
            say("One moment.")
            end_call(reason, {"seats": [1, 2]})
            return {"messages": [await _streamed("Goodbye.")]}
        case ["token"]:
            return {"messages": [await _streamed("Goodbye.<end>")]}
        case ["json"]:
            return {"messages": [AIMessage('{"intent": "book"}'), AIMessage("Booked.")]}
        case ["fail"]:
            raise RuntimeError("the database is down")
        case ["hang"]:
            say("One moment.")
            await asyncio.Event().wait()
            raise AssertionError("nobody opens this gate")
        case ["ask"]:
            size = interrupt("Which size?")
            colour = interrupt({"question": "Which colour?"})
            return {"messages": [await _streamed(f"A {size} one in {colour}.")]}
        case _:
            return {"messages": [await _streamed(f"You said {messages[-1].text}.")]}


def ways(state: CallState) -> list[Send] | str:
    """Route "node", "inner" and "both"."""
    match state["messages"][-1].text if state["messages"] else "":
        case "node":
            return "end"
        case "inner":
            return "inner"
        case "both":
            return [Send("end", state), Send("talk", state)]
        case _:
            return "talk"


async def end(state: CallState) -> dict[str, Any]:
    """Say goodbye and give the reason."""
    ending = {"reason": "by_node", "outcome": {"row": 7}}
    return {"messages": [await _streamed("Goodbye then.")], "ending": ending}


def _answers() -> Graph:
    inner: StateGraph[Any, Any, Any, Any] = StateGraph(CallState)
    inner.add_node("end", end)
    inner.add_edge(START, "end")
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(CallState)
    builder.add_node("talk", talk)
    builder.add_node("end", end)
    builder.add_node("inner", inner.compile())
    builder.add_conditional_edges(START, ways, ["talk", "end", "inner"])
    return builder.compile()


async def chat(state: MessagesState) -> dict[str, Any]:
    """Repeat the caller's words."""
    return {"messages": [AIMessage(f"{state['messages'][-1].type} message.")]}


def _plain() -> Graph:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("chat", chat)
    builder.add_edge(START, "chat")
    return builder.compile()


call_policy = CallPolicy(first_speaker="caller", tail=0)
answers = _answers()
plain = _plain()
