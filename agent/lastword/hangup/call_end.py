"""How a call ended, as its record reports it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lastword.events import EndedBy


@dataclass(frozen=True)
class CallEnd:
    """Who ended the call and why; ``outcome`` comes from the graph.

    ``disconnect_reason`` is LiveKit's reason for the disconnection, if a disconnection ended the
    call.
    """

    ended_by: EndedBy
    reason: str
    outcome: dict[str, Any] | None = None
    disconnect_reason: str | None = None
