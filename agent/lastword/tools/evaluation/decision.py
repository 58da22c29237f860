"""What a graph decided in one case, and whether that was right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lastword.tools.evaluation.dataset import Case

Outcome = Literal["ended", "went_on", "early", "failed"]
Verdict = Literal["right", "false", "missed", "early", "failed"]


@dataclass(frozen=True)
class Decision:
    """What came of one case.

    Args:
        case: the case.
        outcome: after the caller's last line the graph ended the call, or went on; or it had
            ended the call before that line (``early``); or it failed.
        asked: the agent's words before the caller's last line, as this graph's call had them.
        said: what the graph answered, without an end token.
        reason: of the ending; None when there is none.
        seconds: from the caller's last words to the end of the answer.
        late: for a missed ending, after how many more goodbyes it came; None: not within them.
        why: what failed, or when the early ending came.
    """

    case: Case
    outcome: Outcome
    asked: str = ""
    said: str = ""
    reason: str | None = None
    seconds: float = 0.0
    late: int | None = None
    why: str = ""

    @property
    def verdict(self) -> Verdict:
        """Right, or in which way wrong: ``false`` is a call cut off, ``missed`` one kept."""
        match self.outcome, self.case.label:
            case ("early" | "failed") as verdict, _:
                return verdict
            case "ended", "continue":
                return "false"
            case "went_on", "end":
                return "missed"
            case _:
                return "right"


@dataclass(frozen=True)
class Side:
    """All decisions of one graph with one model, in the order of the cases.

    ``model`` is what the graph itself says of the models that it asked.
    """

    graph: str
    model: str
    decisions: tuple[Decision, ...]
