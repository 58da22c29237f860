"""How a call has ended, from its events (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from lastword.events import CallEnded, EndingDecided, Event
from lastword.testing.reply import End


def ending_in(events: Sequence[Event]) -> End | None:
    """The ending that was decided last among ``events``, called off or not."""
    decided = [event for event in events if event["event"] == "ending"]
    return _end(decided[-1], decided[-1]["source"]) if decided else None


def standing_ending(events: Sequence[Event]) -> EndingDecided | None:
    """The last ending that was decided, unless it was called off."""
    standing: EndingDecided | None = None
    for event in events:
        if event["event"] == "ending":
            standing = event
        elif event["event"] == "ending_cancelled":
            standing = None
    return standing


def end_of(events: Sequence[Event]) -> End | None:
    """How the call ended; None: it has not."""
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
