"""The state of the front desk."""

from __future__ import annotations

import operator
from typing import Annotated, Literal, NotRequired

from typing_extensions import TypedDict

from lastword.signals import CallState


class Draft(TypedDict):
    """A message or callback that was read back to the caller and is not written yet.

    ``heard_before`` is how often the caller had spoken when it was read back. It is written only
    after the caller has spoken again.
    """

    kind: Literal["message", "callback"]
    to: str
    caller: str
    content: str
    heard_before: int


class ReceptionState(CallState):
    """State of the front desk's call; ``written`` names the written record: "message 3"."""

    draft: NotRequired[Draft | None]
    written: NotRequired[Annotated[list[str], operator.add]]
