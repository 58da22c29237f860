"""How a call ended: what its record says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lastword.events import EndedBy


@dataclass(frozen=True)
class CallEnd:
    """Who ended the call and why; ``outcome`` is the graph's.

    ``disconnect_reason`` is LiveKit's name for why a participant or the room was gone, where that
    is what ended the call.
    """

    ended_by: EndedBy
    reason: str
    outcome: dict[str, Any] | None = None
    disconnect_reason: str | None = None
