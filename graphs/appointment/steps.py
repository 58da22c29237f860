"""Which node handles which answer: pure decisions, without the store or a model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from graphs.appointment.state import AppointmentState, Picked
from graphs.spoken_time import WEEKDAYS

Step = Literal[
    "remind",
    "confirm",
    "pick",
    "book",
    "read_back_cancellation",
    "cancel",
    "misdial",
    "explain",
    "hold",
    "repeat",
    "ask_again",
    "give_up",
    "end",
]
UNCLEAR_LIMIT = 3
"""This many consecutive answers that are not understood end the call."""


def next_step(state: AppointmentState, said: Picked) -> Step:
    """Decide the next node from the open question and what the caller's answer means.

    Only a "yes" to a question that said what will be written leads to a node that writes.
    """
    step = _in_any_stage(said) or _in_stage(state, said)
    if step == "ask_again" and state.get("unclear", 0) + 1 >= UNCLEAR_LIMIT:
        return "end" if state.get("stage") == "done" else "give_up"
    return step


def _in_any_stage(said: Picked) -> Step | None:
    match said["intent"]:
        case "wait":
            return "hold"
        case "who":
            return "explain"
        case "repeat":
            return "repeat"
        case _:
            return None


def _in_stage(state: AppointmentState, said: Picked) -> Step:
    match state.get("stage"):
        case "reminder":
            return _about_reminder(state, said)
        case "slots":
            return _about_slots(state, said)
        case "new_slot":
            return _about_new_slot(state, said)
        case "cancellation":
            return _about_cancellation(said)
        case "done":
            return _after_the_end(state, said)
        case _:
            return _about_identity(said)


def _about_identity(said: Picked) -> Step:
    match said["intent"]:
        case "yes":
            return "remind"
        case "no" | "wrong_person":
            return "misdial"
        case _:
            return "ask_again"


def _about_reminder(state: AppointmentState, said: Picked) -> Step:
    match said["intent"]:
        case "yes":
            named_another = not names(said, state["appointment"]["starts_at"])
            return "repeat" if named_another else "confirm"
        case "no" | "reschedule":
            return "pick"
        case "cancel":
            return "read_back_cancellation"
        case "keep":
            return "repeat"
        case "wrong_person":
            return "misdial"
        case _:
            return "ask_again"


def _about_slots(state: AppointmentState, said: Picked) -> Step:
    match said["intent"]:
        case "cancel":
            return "read_back_cancellation"
        case "keep":
            return "remind"
        case "no" | "reschedule":
            return "pick"
        case _ if chosen_slot(state.get("offered", []), said) or _names_a_moment(said):
            return "pick"
        case _:
            return "ask_again"


def _about_new_slot(state: AppointmentState, said: Picked) -> Step:
    match said["intent"]:
        case "yes" if names(said, state.get("chosen") or ""):
            return "book"
        case "yes" | "no" | "reschedule":
            return "pick"
        case "cancel":
            return "read_back_cancellation"
        case "keep":
            return "remind"
        case _:
            return "pick" if _names_a_moment(said) else "ask_again"


def _about_cancellation(said: Picked) -> Step:
    match said["intent"]:
        case "yes" | "cancel":
            return "cancel"
        case "no" | "keep":
            return "remind"
        case "reschedule":
            return "pick"
        case _:
            return "ask_again"


def _after_the_end(state: AppointmentState, said: Picked) -> Step:
    """Decide the next node after the caller spoke over the farewell and cancelled the ending."""
    cancelled = state["appointment"]["status"] == "cancelled"
    match said["intent"]:
        case "reschedule":
            return "pick"
        case "cancel" if not cancelled:
            return "read_back_cancellation"
        case "keep":
            return "pick" if cancelled else "remind"
        case "yes" if state.get("result", {}).get("reason") == "wrong_person":
            return "remind"
        case "yes" | "no" | "cancel" | "wrong_person":
            return "end"
        case _:
            return "ask_again"


def names(said: Picked, moment: str) -> bool:
    """Return False if the caller named a day or a time that differs from ``moment`` (ISO)."""
    if not moment:
        return False
    at = datetime.fromisoformat(moment)
    day, time_of_day = said["day"], said["time"]
    if day in WEEKDAYS and day != WEEKDAYS[at.weekday()]:
        return False
    return time_of_day is None or time_of_day == at.strftime("%H:%M")


def chosen_slot(offered: Sequence[str], said: Picked) -> str | None:
    """Return the offered slot that the caller chose by its number or by day and time."""
    choice = said["choice"]
    if choice is not None and (choice == -1 or 1 <= choice <= len(offered)):
        return offered[choice - 1 if choice > 0 else -1] if offered else None
    if _names_a_moment(said):
        fitting = [slot for slot in offered if names(said, slot)]
        return fitting[0] if len(fitting) == 1 else None
    return offered[0] if len(offered) == 1 and said["intent"] == "yes" else None


def _names_a_moment(said: Picked) -> bool:
    return said["day"] is not None or said["time"] is not None
