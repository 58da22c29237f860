"""A graph for calls with strangers in the room; it reports facts to the test.

The dispatch's metadata selects what it does at the opening: ``ends`` with a long farewell that
cannot be interrupted, ``exits`` the process, ``blocks`` the event loop, ``grows`` by that many
megabytes; otherwise it greets. It answers keys by repeating them. On "1" it also logs the event
``doors``; before it blocks it logs ``blocked``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import Any, Literal

from langchain_core.messages import AIMessage
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from livekit.agents import get_job_context

from lastword.signals import CallContext, CallPolicy, CallState

FAREWELL = "Thank you for calling us today and have a very nice afternoon, goodbye."
REPORTS = "tests.strangers_graph"
"""The name of the logger for ``report``."""
_kept: list[bytes] = []


def report_doors() -> None:
    """Report how participants can reach the job: the handlers of streams and RPC calls, and the
    listeners of the room's events.
    """
    room = get_job_context().room
    handlers = [
        *(f"text:{topic}" for topic in room._text_stream_handlers),  # noqa: SLF001 - rtc's own
        *(f"bytes:{topic}" for topic in room._byte_stream_handlers),  # noqa: SLF001
        *(f"rpc:{method}" for method in room.local_participant._rpc_handlers),  # noqa: SLF001
    ]
    for event, listeners in room._events.items():  # noqa: SLF001
        handlers += [f"{event}:{listener.__qualname__}" for listener in listeners]
    report("doors", doors=sorted(set(handlers)))


def report(event: str, **fields: Any) -> None:
    """Log an event for ``tests.fakes.reporting_worker``, in addition to those of the call."""
    entry = {"event": event, "call": get_job_context().room.name, **fields}
    logging.getLogger(REPORTS).info("what a test wants to know", extra=entry)


async def talk(state: CallState, runtime: Runtime[CallContext]) -> dict[str, Any]:
    """Greet, or answer keys."""
    metadata = runtime.context.get("metadata", {})
    match state.get("event"):
        case {"kind": "keypad", "keys": "1"}:
            report_doors()
            return {"messages": [AIMessage("Key one.")]}
        case {"kind": "keypad", "keys": str() as keys}:
            return {"messages": [AIMessage(f"Keys {' '.join(keys)}.")]}
        case {"kind": "opening"}:
            if metadata.get("exits"):
                os._exit(0)
            if metadata.get("blocks"):
                report("blocked")
                time.sleep(60)  # noqa: ASYNC251 - the blocking is what is tested
            for _ in range(metadata.get("grows", 0)):
                _kept.append(b"x" * 2**20)
                await asyncio.sleep(0)
            return {"messages": [AIMessage(f"Hello, I remember {len(state['messages'])}.")]}
        case _:
            return {"messages": [AIMessage("I hear you.")]}


async def end(state: CallState) -> dict[str, Any]:
    """Say goodbye."""
    return {"messages": [AIMessage(FAREWELL)]}


def route(state: CallState, runtime: Runtime[CallContext]) -> Literal["talk", "end"]:
    """Go to the end at once if the metadata says so."""
    return "end" if runtime.context.get("metadata", {}).get("ends") else "talk"


builder: StateGraph[Any, Any, Any, Any] = StateGraph(CallState, context_schema=CallContext)
builder.add_node("talk", talk)
builder.add_node("end", end)
builder.add_conditional_edges(START, route)
graph = builder.compile(name="strangers")
call_policy = CallPolicy(farewell_interruption="never", silence_timeout=None, max_duration=120)
