"""Every sentence of the reminder call, and the classifier's instructions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from graphs.appointment.state import AppointmentState, Result
from graphs.call_events import GOODBYE_THEN
from graphs.rule_model import SAY_AGAIN
from graphs.spoken_time import spoken_day, spoken_moment, spoken_time

PRACTICE = "the Oak Street dental practice"
HOLD = "Of course, take your time."
SLOT_GONE = "I am sorry, that time has just been taken."
CLASSIFIER = """\
You listen in on a telephone call of {practice} with a customer and report what the customer's last
answer means. You do not speak. The words come from speech recognition: some are wrong.
Today is {today}. The appointment: {appointment}. Offered times, in order: {offered}.
The open question: {question}
When in doubt report "unclear". A mere "okay" or "thanks" is unclear. A yes with a condition or a
"but" is no yes."""


def classifier_prompt(state: AppointmentState, today: date) -> str:
    """Return the classifier's instructions for the open question."""
    return CLASSIFIER.format(
        practice=PRACTICE,
        today=spoken_day(today),
        appointment=_when(state["appointment"]["starts_at"]),
        offered="; ".join(_when(slot) for slot in state.get("offered", [])) or "none",
        question=question(state),
    )


def greeting(state: AppointmentState) -> str:
    """Return the first words of the call."""
    return f"Hello, this is {PRACTICE}. {question(state)}"


def question(state: AppointmentState) -> str:
    """Return the open question in the words used the first time and every time after."""
    appointment = state["appointment"]
    match state.get("stage"):
        case "reminder":
            when = _when(appointment["starts_at"])
            return f"You have an appointment with us on {when}. Can you come?"
        case "slots":
            return f"I can offer you {spoken_slots(state.get('offered', []))}. Which one suits you?"
        case "new_slot":
            chosen = state.get("chosen") or appointment["starts_at"]
            return f"So your new appointment is on {_when(chosen)}. Shall I book it?"
        case "cancellation":
            return f"Shall I cancel your appointment on {_when(appointment['starts_at'])}?"
        case "done":
            return "Is there anything else I can do for you?"
        case _:
            return f"Am I speaking with {appointment['customer']}?"


def asking_again(state: AppointmentState) -> str:
    """Return a request to repeat, followed from the second time on by the open question."""
    return SAY_AGAIN if state.get("unclear", 0) <= 1 else f"{SAY_AGAIN} {question(state)}"


def explanation(state: AppointmentState) -> str:
    """Say who is calling and why; nothing about the appointment before the identity is known."""
    return f"This is {PRACTICE}, with a reminder for {state['appointment']['customer']}."


def nothing_free(day: str) -> str:
    """Say that the requested day has no free time."""
    return f"I am sorry, I have nothing free on {day}."


def spoken_slots(slots: Sequence[str]) -> str:
    """Say free times; each day is named once."""
    said: list[str] = []
    previous: date | None = None
    for slot in map(datetime.fromisoformat, slots):
        new_day = slot.date() != previous
        said.append(spoken_moment(slot) if new_day else f"at {spoken_time(slot.time())}")
        previous = slot.date()
    return ", ".join(said[:-1]) + (", or " if len(said) > 1 else "") + "".join(said[-1:])


def farewell(state: AppointmentState, result: Result) -> str:
    """Return the farewell for ``result``, a short one if the caller has heard the whole of it."""
    if state.get("said_goodbye") == result:
        return GOODBYE_THEN
    appointment = state.get("appointment")
    name = appointment["customer"].split()[0] if appointment else ""
    when = _when(appointment["starts_at"]) if appointment else ""
    match result["reason"]:
        case "confirmed":
            return f"Thank you, {name}. Your appointment on {when} is confirmed. Goodbye!"
        case "rescheduled":
            return f"Thank you, {name}. You are booked for {when}. See you then. Goodbye!"
        case "cancelled":
            return (
                f"Your appointment is cancelled, {name}. Call us whenever you need a new one."
                " Goodbye!"
            )
        case "wrong_person":
            return "Then I have the wrong person. I am sorry to have troubled you. Goodbye!"
        case "not_understood":
            return (
                "I am sorry, the line is not good enough for me to understand you."
                " A colleague will call you again. Goodbye!"
            )
        case "no_appointment":
            return f"Hello, this is {PRACTICE}. I am sorry, this call was a mistake. Goodbye!"
        case "voicemail":
            return f"Hello, this is {PRACTICE}. Please call us back. Thank you. Goodbye!"


def _when(moment: str) -> str:
    return spoken_moment(datetime.fromisoformat(moment))
