"""The state of the reminder call, and the possible meanings of a caller's answer."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from graphs.store import Appointment
from lastword.signals import CallState

Stage = Literal["identity", "reminder", "slots", "new_slot", "cancellation", "done"]
"""The open question, in order: is this the customer, can they come, which slot, book the chosen
slot, cancel, or anything else (after an interrupted farewell)."""

Intent = Literal[
    "yes", "no", "reschedule", "cancel", "keep", "wrong_person", "repeat", "who", "wait", "unclear"
]
Day = Literal[
    "today", "tomorrow",
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
]  # fmt: skip


class Understanding(BaseModel):
    """What the caller's last answer means."""

    intent: Intent = Field(
        description=(
            "yes: a clear yes to the open question. no: a clear no. reschedule: wants another "
            "time, or cannot or will not come at this one, or asks for other times. cancel: wants "
            "no appointment any more. keep: wants the appointment left as it is. wrong_person: we "
            "do not speak with the customer and cannot get them. repeat: wants to hear the last "
            "sentence again or asks when the appointment is. who: asks who calls or why. wait: "
            "asks us to hold on, or fetches the customer. unclear: anything else, a doubt, a "
            "condition, or a mere 'okay' or 'thanks'."
        )
    )
    choice: int | None = Field(
        default=None, description="Number of the chosen slot, the first one is 1, the last -1."
    )
    day: Day | None = Field(default=None, description="The day that the caller named as wanted.")
    time: str | None = Field(default=None, description="The time that the caller named, HH:MM.")


class Picked(TypedDict):
    """An :class:`Understanding` in the form stored in the state."""

    intent: Intent
    choice: int | None
    day: Day | None
    time: str | None


class Result(TypedDict):
    """The result of the call; the node ``end`` derives the farewell and the ending from it."""

    reason: Literal[
        "confirmed",
        "rescheduled",
        "cancelled",
        "wrong_person",
        "not_understood",
        "no_appointment",
        "voicemail",
    ]
    outcome: dict[str, Any]


class AppointmentState(CallState):
    """State of the reminder call.

    ``unclear`` counts consecutive answers that were not understood; ``offered`` and ``chosen``
    are ISO times from the store; ``said_goodbye`` is the result whose whole farewell the caller
    has heard.
    """

    stage: NotRequired[Stage]
    appointment: NotRequired[Appointment]
    understood: NotRequired[Picked]
    offered: NotRequired[list[str]]
    chosen: NotRequired[str | None]
    unclear: NotRequired[int]
    result: NotRequired[Result]
    said_goodbye: NotRequired[Result]
