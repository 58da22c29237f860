"""What the front desk keeps in mind."""

from __future__ import annotations

import operator
from typing import Annotated, Literal, NotRequired

from typing_extensions import TypedDict

from lastword.signals import CallState


class Draft(TypedDict):
    """Something that was read back to the caller and is not written down yet.

    ``heard_before`` is how often the caller had spoken when it was read back: it is written only
    after the caller has spoken once more.
    """

    kind: Literal["message", "callback"]
    to: str
    caller: str
    content: str
    heard_before: int


class ReceptionState(CallState):
    """State of the front desk's call; ``written`` names what was written down: "message 3"."""

    draft: NotRequired[Draft | None]
    written: NotRequired[Annotated[list[str], operator.add]]
