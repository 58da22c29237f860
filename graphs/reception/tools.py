"""The front desk's tools. They return sentences that can be spoken unchanged."""

from __future__ import annotations

from datetime import time
from typing import Any, Literal
from uuid import uuid4

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.prebuilt import ToolRuntime
from langgraph.types import Command

from graphs.reception import prompts
from graphs.reception.state import Draft, ReceptionState
from graphs.spoken_numbers import digits_in_words
from graphs.spoken_time import WEEKDAYS, spoken_time
from graphs.store import OpeningHours, PracticeContext, Store, call_store
from lastword import signals

Runtime = ToolRuntime[PracticeContext, ReceptionState]
Day = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


@tool
async def opening_hours(runtime: Runtime, day: Day | None = None) -> str:
    """Look up when the practice is open, on one day of the week or on all."""
    hours = await call_store(runtime.context).opening_hours()
    if day is None:
        return f"We are open {_all_hours(hours)}. {prompts.ANYTHING_ELSE}"
    of_day = [each for each in hours if each["weekday"] == WEEKDAYS.index(day)]
    said = f"We are open on {day} {_from_to(of_day[0])}" if of_day else f"We are closed on {day}"
    return f"{said}. {prompts.ANYTHING_ELSE}"


@tool
async def find_department(name: str, runtime: Runtime) -> str:
    """Look up the department or person that the caller wants to speak with."""
    store = call_store(runtime.context)
    department = await store.find_department(name)
    if department is None:
        known = await store.departments()
        return f"I can reach {', '.join(known[:-1])} and {known[-1]}. Who would you like?"
    return prompts.no_transfer(department)


@tool
async def take_message(recipient: str, caller: str, text: str, runtime: Runtime) -> Command[Any]:
    """Prepare a message for somebody. Nothing is written until write_down is called.

    Args:
        recipient: who the message is for.
        caller: the caller's name.
        text: the message in the caller's words.
        runtime: given by LangGraph.
    """
    read_back = f"A message for {recipient}, from {caller}: {text}. {prompts.READ_BACK}"
    return _drafted(runtime, "message", (recipient, caller, text), read_back)


@tool
async def request_callback(
    department: str, caller: str, runtime: Runtime, number: str | None = None
) -> Command[Any] | str:
    """Prepare that a department calls back. Nothing is written until write_down is called.

    Args:
        department: as find_department named it.
        caller: the caller's name.
        number: digits; leave it out for the number that the caller calls from.
        runtime: given by LangGraph.
    """
    found = await call_store(runtime.context).find_department(department)
    if found is None:
        return f"There is no department {department}. Look it up with find_department."
    number = number or (runtime.context or {}).get("caller")
    if not number:
        return prompts.NUMBER
    read_back = f"So {found} calls {caller} back, on {digits_in_words(number)}. {prompts.READ_BACK}"
    return _drafted(runtime, "callback", (found, caller, number), read_back)


@tool
async def write_down(runtime: Runtime) -> Command[Any] | str:
    """Write down the message or the call back that was read to the caller and confirmed."""
    draft = runtime.state.get("draft")
    if draft is None:
        return "There is nothing to write down. Call take_message or request_callback first."
    if _times_heard(runtime) <= draft["heard_before"]:
        return "The caller has not confirmed yet. Read it back and wait for the answer."
    await signals.turn_certain()
    written = await _write(call_store(runtime.context), draft)
    said = f"I have written that down. {prompts.ANYTHING_ELSE}"
    return Command(
        update={"draft": None, "written": [written], "messages": [_answer(runtime, said)]}
    )


@tool
async def end_call(farewell: str, reason: str, runtime: Runtime) -> Command[Any]:
    """End the call. The farewell is spoken, then the line is cut.

    Args:
        farewell: the goodbye, two short sentences.
        reason: "completed", or in snake_case why the call ends otherwise.
        runtime: given by LangGraph.
    """
    outcome = {"written": runtime.state.get("written", [])}
    signals.end_call(reason, outcome)
    goodbye = [] if _said_goodbye(runtime) else [AIMessage(content=farewell, id=str(uuid4()))]
    return Command(
        update={
            "ending": signals.Ending(reason=reason, outcome=outcome),
            "messages": [_answer(runtime, "The call ends after the farewell."), *goodbye],
        }
    )


TOOLS = (opening_hours, find_department, take_message, request_callback, write_down, end_call)


def _drafted(
    runtime: Runtime,
    kind: Literal["message", "callback"],
    parts: tuple[str, str, str],
    read_back: str,
) -> Command[Any]:
    to, caller, content = parts
    draft = Draft(
        kind=kind, to=to, caller=caller, content=content, heard_before=_times_heard(runtime)
    )
    return Command(update={"draft": draft, "messages": [_answer(runtime, read_back)]})


async def _write(store: Store, draft: Draft) -> str:
    if draft["kind"] == "message":
        row = await store.add_message(draft["to"], draft["caller"], draft["content"])
    else:
        row = await store.add_callback(draft["to"], draft["caller"], draft["content"])
    return f"{draft['kind']} {row}"


def _answer(runtime: Runtime, text: str) -> ToolMessage:
    return ToolMessage(text, tool_call_id=runtime.tool_call_id or "")


def _times_heard(runtime: Runtime) -> int:
    return sum(isinstance(each, HumanMessage) for each in runtime.state["messages"])


def _said_goodbye(runtime: Runtime) -> bool:
    """Return True if the message that calls the tool also says goodbye.

    The farewell is then not spoken a second time.
    """
    last = runtime.state["messages"][-1]
    return isinstance(last, AIMessage) and "goodbye" in last.text.lower()


def _all_hours(hours: list[OpeningHours]) -> str:
    """Say the hours of the week; consecutive days with the same hours are grouped."""
    said: list[str] = []
    at = 0
    while at < len(hours):
        until = at
        while until + 1 < len(hours) and _from_to(hours[until + 1]) == _from_to(hours[at]):
            until += 1
        first, last = WEEKDAYS[hours[at]["weekday"]], WEEKDAYS[hours[until]["weekday"]]
        days = f"on {first}" if at == until else f"{first} to {last}"
        said.append(f"{days} {_from_to(hours[at])}")
        at = until + 1
    return ", ".join(said[:-1]) + (", and " if len(said) > 1 else "") + said[-1]


def _from_to(hours: OpeningHours) -> str:
    opens, closes = time.fromisoformat(hours["opens"]), time.fromisoformat(hours["closes"])
    return f"from {spoken_time(opens)} to {spoken_time(closes)}"
