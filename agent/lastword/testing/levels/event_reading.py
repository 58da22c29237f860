"""Reads from a call's events how the call ended. Pure code."""

from __future__ import annotations

from collections.abc import Sequence

from lastword.events import CallEnded, EndingDecided, Event
from lastword.testing.reply import End


def ending_in(events: Sequence[Event]) -> End | None:
    """Return the last ending that was decided in ``events``, cancelled or not."""
    decided = [event for event in events if event["event"] == "ending"]
    return _end(decided[-1], decided[-1]["source"]) if decided else None


def standing_ending(events: Sequence[Event]) -> EndingDecided | None:
    """Return the last ending that was decided, unless it was cancelled."""
    standing: EndingDecided | None = None
    for event in events:
        if event["event"] == "ending":
            standing = event
        elif event["event"] == "ending_cancelled":
            standing = None
    return standing


def end_of(events: Sequence[Event]) -> End | None:
    """Return how the call ended; None when it has not ended."""
    ended = [event for event in events if event["event"] == "call_ended"]
    if not ended:
        return None
    standing = standing_ending(events)
    return _end(ended[-1], standing["source"] if standing else None)


def _end(event: EndingDecided | CallEnded, source: str | None) -> End:
    return End(
        event["ended_by"],
        event["reason"],
        event["outcome"],
        None if source == "limit" else source,
    )
