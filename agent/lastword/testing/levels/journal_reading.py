"""How a call has ended, from the entries of its journal (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lastword.testing.reply import End

Entry = tuple[str, Mapping[str, Any]]
"""The journal's word for what happened, and its fields."""


def ending_in(entries: Sequence[Entry]) -> End | None:
    """The ending that was decided last among ``entries``, called off or not."""
    found = [fields for name, fields in entries if name == "ending"]
    return _end(found[-1], found[-1].get("source")) if found else None


def end_of(entries: Sequence[Entry]) -> End | None:
    """How the call ended; None: it has not."""
    ended = [fields for name, fields in entries if name == "call_ended"]
    if not ended:
        return None
    decided = [(name, fields) for name, fields in entries if name in ("ending", "ending_cancelled")]
    stands = decided[-1][0] == "ending" if decided else False
    return _end(ended[-1], decided[-1][1].get("source") if stands else None)


def _end(fields: Mapping[str, Any], source: str | None) -> End:
    return End(
        fields["ended_by"],
        fields["reason"],
        fields["outcome"],
        None if source == "limit" else source,
    )
