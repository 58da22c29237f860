"""What was measured, as JSON, written and read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lastword.tools.evaluation.dataset import Case
from lastword.tools.evaluation.decision import Decision, Side
from lastword.tools.evaluation.figures import Figures, Share, difference, figures


def content(about: Mapping[str, Any], sides: Sequence[Side]) -> dict[str, Any]:
    """Everything that was measured, as JSON; ``about`` says how."""
    found_all: dict[str, Any] = {**about, "sides": [_side_as_json(side) for side in sides]}
    if len(sides) > 1:
        found = difference(sides[0].decisions, sides[1].decisions)
        found_all["difference"] = {
            "differing": [one.case.id for one, _ in found.differing],
            "only_first_right": found.only_first,
            "only_second_right": found.only_second,
            "left_out": found.left_out,
            "mcnemar_p": found.p,
        }
    return found_all


def side_from(written: Mapping[str, Any], cases: Mapping[str, Case]) -> Side:
    """One of the ``sides`` that ``content`` wrote; ``cases`` by their id.

    Raises:
        KeyError: a case or a field is missing.
    """
    decisions = tuple(
        Decision(
            case=cases[one["id"]],
            outcome=one["outcome"],
            asked=one["asked"],
            said=one["said"],
            reason=one["reason"],
            seconds=one["seconds"],
            late=one["late"],
            why=one["why"],
        )
        for one in written["cases"]
    )
    return Side(written["graph"], written["model"], decisions)


def _side_as_json(side: Side) -> dict[str, Any]:
    return {
        "graph": side.graph,
        "model": side.model,
        "figures": _figures_as_json(figures(side.decisions)),
        "cases": [_decision_as_json(one) for one in side.decisions],
    }


def _decision_as_json(decision: Decision) -> dict[str, Any]:
    case = decision.case
    return {
        "id": case.id,
        "category": case.category,
        "language": case.language,
        "label": case.label,
        "verdict": decision.verdict,
        "outcome": decision.outcome,
        "asked": decision.asked,
        "caller": case.last,
        "said": decision.said,
        "reason": decision.reason,
        "seconds": round(decision.seconds, 4),
        "late": decision.late,
        "why": decision.why,
    }


def _figures_as_json(of: Figures) -> dict[str, Any]:
    shares = {
        name: _share_as_json(getattr(of, name))
        for name in ("right", "precision", "recall", "false", "missed")
    }
    late = {"after": of.late.after, "never": of.late.never, "mean": of.late.mean}
    return {
        **shares,
        "early": of.early,
        "failed": of.failed,
        "late": late,
        "median_seconds": of.seconds,
    }


def _share_as_json(share: Share) -> dict[str, Any]:
    return {"hits": share.hits, "of": share.of, "value": share.value, "interval": share.interval}
