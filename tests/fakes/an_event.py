"""Call events for tests: fields that a test does not give have a default value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_type_hints

from lastword.events import EVENTS, Event

PLAIN: Mapping[str, Any] = {
    "time": "2026-11-21T09:30:00.000+00:00",
    "call": "a-call",
    "phase": "",
    "why": "",
    "graph": "a-graph",
    "caller": "caller",
    "words": "",
    "metrics": {},
    "nodes": [],
    "interrupted": False,
    "seconds": 0.0,
    "kind": "",
    "told": {},
    "tools": [],
    "state": {},
    "missing": [],
    "left": 0,
    "taken": None,
    "ended_by": "graph",
    "reason": "",
    "outcome": None,
    "source": "node",
    "farewell": "played",
    "removed": "room",
    "disconnect_reason": None,
    "line_gone": True,
    "worker": "AW_1",
    "error": "",
}


def an_event(name: str, at: float = 0.0, **fields: Any) -> Event:
    """Return an event named ``name``.

    Raises:
        ValueError: the event has no such field.
    """
    known = get_type_hints(EVENTS[name]).keys()
    if not fields.keys() <= known:
        raise ValueError(f"{name} has no {fields.keys() - known}")
    given = {**PLAIN, "event": name, "at": at, **fields}
    return cast("Event", {field: given[field] for field in known})
