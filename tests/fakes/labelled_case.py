"""Labelled conversations for tests of the evaluation."""

from __future__ import annotations

from lastword.tools.evaluation.dataset import Case, Label, Line


def case(id_: str, label: Label, *lines: str) -> Case:
    """Return a case; ``lines`` alternate between agent and caller, and the caller's is last."""
    roles = ["user" if (len(lines) - at) % 2 else "agent" for at in range(len(lines))]
    history = [
        Line.model_validate({"role": r, "text": t}) for r, t in zip(roles, lines, strict=True)
    ]
    return Case(id=id_, category="any", history=history, label=label)
