"""The state of the survey."""

from __future__ import annotations

import operator
from typing import Annotated, Literal, NotRequired

from lastword.signals import CallState

Question = Literal["rating", "improvement", "contact"]


class SurveyState(CallState):
    """State of the survey: the answers recorded so far, question → answer."""

    answers: NotRequired[Annotated[dict[str, str], operator.or_]]
