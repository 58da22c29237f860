"""The nodes of the reminder call; each one says or writes one thing."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import date, datetime, timedelta
from typing import Any, Literal, Protocol
from uuid import uuid4

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, SystemMessage
from langgraph.constants import TAG_NOSTREAM
from langgraph.runtime import Runtime
from langgraph.types import Command

from graphs.appointment import prompts
from graphs.appointment.state import AppointmentState, Picked, Result, Stage, Understanding
from graphs.appointment.steps import Step, chosen_slot, names, next_step
from graphs.call_events import (
    IN_WORDS,
    STILL_THERE,
    TIME_IS_SHORT,
    VOICEMAIL,
    CallNode,
    event_node,
    heard_goodbye,
)
from graphs.spoken_time import WEEKDAYS
from graphs.store import Appointment, PracticeContext, SlotTaken, call_store
from lastword.signals import Ending, turn_certain

Update = dict[str, Any]
_SLOTS_AT_A_TIME = 3
_MESSAGES_FOR_CLASSIFIER = 6


def begin(state: AppointmentState) -> Literal["greet", "understand", CallNode]:
    """Route the turn; without an appointment in the state it goes to the greeting.

    A voicemail event is the exception.
    """
    node = event_node(state)
    if "appointment" not in state and node != "voicemail":
        return "greet"
    return node or "understand"


async def still_there(state: AppointmentState) -> Update:
    """Ask whether the caller is still there, and repeat the question that a "yes" will answer."""
    return _say(f"{STILL_THERE} {prompts.question(state)}")


async def hurry(state: AppointmentState) -> Update:
    """Say that the call has to end soon, and ask the open question again."""
    return _say(f"{TIME_IS_SHORT} {prompts.question(state)}")


async def in_words(state: AppointmentState) -> Update:
    """Ask for words, since this graph does not use keys, and ask the open question again."""
    return _say(f"{IN_WORDS} {prompts.question(state)}")


async def voicemail(state: AppointmentState, runtime: Runtime[PracticeContext]) -> Update:
    """End the call on an answering machine; the stage stays for a person who picks up later."""
    appointment = state.get("appointment") or await _find_appointment(runtime.context)
    return {"result": _result(VOICEMAIL, appointment)}


async def greet(
    state: AppointmentState,  # noqa: ARG001 - LangGraph passes it
    runtime: Runtime[PracticeContext],
) -> Command[Literal["end", "__end__"]]:
    """Look the appointment up and ask for the customer."""
    appointment = await _find_appointment(runtime.context)
    if appointment is None:
        return Command(update={"result": _result("no_appointment")}, goto="end")
    update = _ask("identity", AppointmentState(messages=[], appointment=appointment), hello=True)
    return Command(update={"appointment": appointment, "unclear": 0, **update}, goto="__end__")


async def _find_appointment(context: PracticeContext | None) -> Appointment | None:
    """Find it by ``appointment_id``, else the next one of ``customer``, else the next of anyone."""
    store = call_store(context)
    metadata = (context or {}).get("metadata", {})
    match metadata:
        case {"appointment_id": int() | str() as number} if str(number).isdigit():
            found = await store.appointment(int(number))
            return found if found and found["status"] != "cancelled" else None
        case {"customer": str() as customer}:
            return await store.next_appointment(customer)
        case _:
            return await store.next_appointment()


class Understand(Protocol):
    """The classifier node."""

    def __call__(self, state: AppointmentState) -> Awaitable[Command[Step]]:
        """Understand the caller's answer and go to the node that handles it."""


def understanding(model: BaseChatModel) -> Understand:
    """Create the classifier node; its tokens carry the ``nostream`` tag and are never spoken."""
    classifier = model.with_structured_output(
        Understanding, method="function_calling", include_raw=True
    ).with_config(tags=[TAG_NOSTREAM])

    async def understand(state: AppointmentState) -> Command[Step]:
        instructions = SystemMessage(prompts.classifier_prompt(state, date.today()))
        recent = state["messages"][-_MESSAGES_FOR_CLASSIFIER:]
        answer = await classifier.ainvoke([instructions, *recent])
        parsed = answer["parsed"] if isinstance(answer, dict) else None
        meant = parsed if isinstance(parsed, Understanding) else Understanding(intent="unclear")
        said = Picked(intent=meant.intent, choice=meant.choice, day=meant.day, time=meant.time)
        step = next_step(state, said)
        unclear = state.get("unclear", 0) + 1 if step == "ask_again" else 0
        update: Update = {"understood": said, "unclear": unclear}
        if heard_goodbye(state) and "result" in state:
            update["said_goodbye"] = state["result"]
        return Command(update=update, goto=step)

    return understand


async def remind(state: AppointmentState) -> Update:
    """Say when the appointment is and ask whether the customer can come."""
    return _ask("reminder", state)


async def repeat(state: AppointmentState) -> Update:
    """Ask the open question again."""
    return _say(prompts.question(state))


async def explain(state: AppointmentState) -> Update:
    """Say who is calling, then ask the open question again."""
    return _say(f"{prompts.explanation(state)} {prompts.question(state)}")


async def hold(state: AppointmentState) -> Update:  # noqa: ARG001 - LangGraph passes it
    """Wait while the customer is fetched; the question stays open."""
    return _say(prompts.HOLD)


async def ask_again(state: AppointmentState) -> Update:
    """Ask the caller to repeat an unclear answer instead of guessing."""
    return _say(prompts.asking_again(state))


async def pick(
    state: AppointmentState, runtime: Runtime[PracticeContext]
) -> Command[Literal["offer", "read_back_slot"]]:
    """Find the slot that the caller wants, else free slots to offer."""
    said = state["understood"]
    offered = state.get("offered", [])
    if said["intent"] != "no" and (slot := chosen_slot(offered, said)):
        return Command(update={"chosen": slot}, goto="read_back_slot")
    store = call_store(runtime.context)
    day = _wanted_day(said)
    wanted = [] if day is None else await store.free_slots(20, weekday=WEEKDAYS.index(day))
    fitting = (slot for slot in wanted if said["time"] is not None and names(said, slot))
    if slot := next(fitting, None):
        return Command(update={"chosen": slot}, goto="read_back_slot")
    slots = wanted[:_SLOTS_AT_A_TIME] or await store.free_slots(
        _SLOTS_AT_A_TIME, after=offered[-1] if offered and day is None else None
    )
    apology = _say(prompts.nothing_free(day)) if day is not None and not wanted else {}
    return Command(update={"offered": slots, "chosen": None, **apology}, goto="offer")


async def offer(state: AppointmentState) -> Update:
    """Offer free slots."""
    return _ask("slots", state)


async def read_back_slot(state: AppointmentState) -> Update:
    """Read the chosen slot back; nothing is booked yet."""
    return _ask("new_slot", state)


async def read_back_cancellation(state: AppointmentState) -> Update:
    """Ask for a confirmation before the appointment is cancelled."""
    return _ask("cancellation", state)


async def confirm(state: AppointmentState, runtime: Runtime[PracticeContext]) -> Update:
    """Record that the customer will come."""
    appointment = state["appointment"]
    await turn_certain()
    await call_store(runtime.context).confirm_appointment(appointment["id"])
    return _done("confirmed", Appointment(**{**appointment, "status": "confirmed"}))


async def book(
    state: AppointmentState, runtime: Runtime[PracticeContext]
) -> Command[Literal["end", "pick"]]:
    """Move the appointment to the slot that was read back."""
    appointment, slot = state["appointment"], state.get("chosen") or ""
    await turn_certain()
    try:
        await call_store(runtime.context).move_appointment(appointment["id"], slot)
    except SlotTaken:
        nothing = Picked(intent="reschedule", choice=None, day=None, time=None)
        gone: Update = {"understood": nothing, "offered": [], **_say(prompts.SLOT_GONE)}
        return Command(update=gone, goto="pick")
    moved = Appointment(**{**appointment, "starts_at": slot, "status": "confirmed"})
    return Command(update=_done("rescheduled", moved), goto="end")


async def cancel(state: AppointmentState, runtime: Runtime[PracticeContext]) -> Update:
    """Cancel the appointment that was read back."""
    appointment = state["appointment"]
    await turn_certain()
    await call_store(runtime.context).cancel_appointment(appointment["id"])
    return _done("cancelled", Appointment(**{**appointment, "status": "cancelled"}))


async def misdial(state: AppointmentState) -> Update:
    """End the call with a wrong person; nothing is written."""
    return _done("wrong_person", state["appointment"])


async def give_up(state: AppointmentState) -> Update:
    """End the call after three answers in a row that were not understood."""
    return _done("not_understood", state["appointment"])


async def end(state: AppointmentState) -> Update:
    """Say goodbye; reaching this node ends the call."""
    result = state.get("result") or _result("not_understood")
    ending = Ending(reason=result["reason"], outcome=result["outcome"])
    return {"ending": ending, **_say(prompts.farewell(state, result))}


def _ask(stage: Stage, state: AppointmentState, *, hello: bool = False) -> Update:
    """Set ``stage`` and ask its question, after the greeting if ``hello``."""
    asking = AppointmentState(**{**state, "stage": stage})
    text = prompts.greeting(asking) if hello else prompts.question(asking)
    return {"stage": stage, **_say(text)}


def _say(text: str) -> Update:
    return {"messages": [AIMessage(content=text, id=str(uuid4()))]}


def _done(reason: Any, appointment: Appointment) -> Update:
    """Set the result, and the stage "done" for a caller who interrupts the farewell."""
    return {
        "stage": "done",
        "appointment": appointment,
        "result": _result(reason, appointment),
    }


def _result(reason: Any, appointment: Appointment | None = None) -> Result:
    if appointment is None:
        return Result(reason=reason, outcome={})
    outcome = {"appointment_id": appointment["id"], "starts_at": appointment["starts_at"]}
    return Result(reason=reason, outcome=outcome)


def _wanted_day(said: Picked) -> str | None:
    """Return the weekday that the caller asked for; resolves "today" and "tomorrow"."""
    today = datetime.now().date()
    match said["day"]:
        case "today":
            return WEEKDAYS[today.weekday()]
        case "tomorrow":
            return WEEKDAYS[(today + timedelta(days=1)).weekday()]
        case day:
            return day
