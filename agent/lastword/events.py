"""Typed events that report what happens in a call.

A call has one :class:`EventStream`; the log is one of its subscribers. An event is a ``TypedDict``
with its name in ``event``, its time, and fields of its type. The marker ``Personal`` in a field's
type means that the field may contain words, numbers or names of people; the log puts such fields
under LiveKit's prefix for personal data. ``docs/events.md`` has a table of all fields.

A program that runs a worker reads the events from its log with :func:`read_event`; the log's
format is known only here.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import (
    Annotated,
    Any,
    Literal,
    TypeAlias,
    TypedDict,
    TypeVar,
    cast,
    get_args,
    get_type_hints,
)

__all__ = [
    "EVENTS",
    "AgentSaid",
    "CallEnded",
    "CallRefused",
    "CallStarted",
    "CallerJoined",
    "CallerSaid",
    "EndedBy",
    "EndingCalledOff",
    "EndingDecided",
    "Event",
    "EventStream",
    "FarewellPlayed",
    "FarewellState",
    "GraphAnswered",
    "GraphTold",
    "HangUpFailed",
    "HangingUp",
    "LineGone",
    "Personal",
    "Subscriber",
    "WorkerRegistered",
    "log_event",
    "read_event",
]

T = TypeVar("T")
PERSONAL = "personal"
Personal: TypeAlias = Annotated[T, PERSONAL]
"""The type of a field that may contain personal data."""

EndedBy = Literal["graph", "caller", "operator", "limit", "dial", "error"]
FarewellState = Literal["none", "played", "muted", "cut_short", "overdue", "failed"]
"""How the farewell was played. ``none``: there was no farewell, or it had no sound; ``played``: to
its end; ``muted``: the agent was muted before its end; ``cut_short``: it was stopped before that;
``overdue``: it took longer than ``farewell_max_wait``; ``failed``: it could not be spoken."""


class Moment(TypedDict):
    """The time of an event."""

    time: str
    """Wall-clock time: ISO 8601, UTC, with milliseconds."""
    at: float
    """Seconds on the machine's monotonic clock, for durations and order."""


class CallMoment(Moment):
    """The time of an event, and its call."""

    call: str
    """The call's id: the name of its room."""


class Step(CallMoment):
    """A step of a call on its way to the hang-up; see ``docs/endings.md``."""

    phase: str
    """The phase that the call has entered."""
    why: str
    """Why it has entered this phase: one of a fixed set of sentences."""


class CallStarted(CallMoment):
    """The worker has started the call."""

    event: Literal["call_started"]
    graph: str
    """The graph's name in ``langgraph.json``."""


class CallerJoined(CallMoment):
    """The caller is in the room."""

    event: Literal["caller_joined"]
    caller: Personal[str]
    """The caller's identity in the room; a phone's identity usually contains its number."""


class CallerSaid(CallMoment):
    """The caller has said something."""

    event: Literal["caller_said"]
    words: Personal[str]
    """The words that were recognised."""
    metrics: Mapping[str, float]
    """LiveKit's latencies for this turn, in seconds."""


class AgentSaid(CallMoment):
    """The agent has said something."""

    event: Literal["agent_said"]
    words: Personal[str]
    """The words that were played to the caller; after an interruption, only those before it."""
    nodes: Sequence[str]
    """The nodes of the graph that ran for this answer."""
    interrupted: bool
    """Whether the caller interrupted the agent."""
    seconds: float
    """Duration of the speech, which ended at ``at``; 0 for text without sound."""
    metrics: Mapping[str, float]
    """LiveKit's latencies for this answer, in seconds."""


class GraphTold(CallMoment):
    """The graph is told of a call event: something other than the caller's words."""

    event: Literal["graph_told"]
    kind: str
    """The kind of call event in ``lastword.signals``: ``silence``, ``limit_near`` or ``keypad``."""
    told: Personal[Mapping[str, Any]]
    """The call event as the graph receives it."""


class GraphAnswered(CallMoment):
    """The graph has finished a run. Only the worker that replays calls emits this event."""

    event: Literal["graph_answered"]
    nodes: Sequence[str]
    """The nodes that ran, in order."""
    tools: Personal[Sequence[tuple[str, Mapping[str, Any]]]]
    """The tools that were called, each with its arguments."""
    state: Personal[Mapping[str, Any]]
    """The parts of the graph's state that the transcript asks for."""
    missing: Personal[Sequence[str]]
    """Requests to models that have no answer in the transcript's cassette."""
    left: int
    """Number of answers in the cassette that were not used."""
    taken: str | None
    """The edges of the graph that were taken, as JSON; null for a graph on a graph server."""


class EndingDecided(Step):
    """The call will end after a farewell."""

    event: Literal["ending"]
    ended_by: EndedBy
    """The side that ends the call."""
    reason: Personal[str]
    """Why the call ends; free text if the graph decided."""
    outcome: Personal[dict[str, Any] | None]
    """The call's result, as the graph gave it."""
    source: str
    """Where the decision came from: ``node``, ``token``, ``event``, ``tool``, ``failure`` (of the
    graph) or ``limit``."""


class EndingCalledOff(Step):
    """The caller spoke over the farewell, and the call goes on."""

    event: Literal["ending_cancelled"]
    reason: Personal[str]
    """The reason of the ending that was cancelled."""


class FarewellPlayed(Step):
    """The farewell has been played to its last sample."""

    event: Literal["farewell_played"]


class HangingUp(Step):
    """The hang-up has begun; it cannot be cancelled."""

    event: Literal["hanging_up"]
    ended_by: EndedBy
    """The side that ended the call."""
    reason: Personal[str]
    """Why the call ended."""
    farewell: FarewellState
    """How the farewell was played."""


class LineGone(Step):
    """The line is confirmed to be gone."""

    event: Literal["gone"]
    removed: str | None
    """What was removed: ``room``, ``caller`` or ``agent``."""


class HangUpFailed(Step):
    """Every attempt to hang up has failed: the line may still be up."""

    event: Literal["hang_up_failed"]


class CallEnded(CallMoment):
    """The call is over. This is its last event."""

    event: Literal["call_ended"]
    ended_by: EndedBy
    """The side that ended the call."""
    reason: Personal[str]
    """Why the call ended; free text if the graph decided."""
    outcome: Personal[dict[str, Any] | None]
    """The call's result, as the graph gave it."""
    farewell: FarewellState
    """How the farewell was played."""
    disconnect_reason: str | None
    """LiveKit's reason for the disconnection, if a disconnection ended the call."""
    line_gone: bool
    """Whether the line is confirmed to be gone."""


class WorkerRegistered(Moment):
    """The worker has registered with a LiveKit server; repeated after every reconnection."""

    event: Literal["worker_registered"]
    worker: str
    """The id that the server assigned to the worker."""


class CallRefused(CallMoment):
    """The worker has refused a call because its dispatch is invalid."""

    event: Literal["call_refused"]
    error: Personal[str]
    """What is wrong with the dispatch; it may quote from it."""


Event = (
    WorkerRegistered
    | CallRefused
    | CallStarted
    | CallerJoined
    | CallerSaid
    | AgentSaid
    | GraphTold
    | GraphAnswered
    | EndingDecided
    | EndingCalledOff
    | FarewellPlayed
    | HangingUp
    | LineGone
    | HangUpFailed
    | CallEnded
)
"""Any event; testing ``event["event"]`` narrows the type."""

EVENTS: Mapping[str, type] = {
    get_args(get_type_hints(kind)["event"])[0]: kind for kind in get_args(Event)
}
"""The type of each event, by its name."""

Subscriber = Callable[[Event], None]


def utc_now() -> datetime:
    """The present time of the machine's wall clock."""
    return datetime.now(UTC)


def moment(
    clock: Callable[[], float] = time.monotonic, wall_clock: Callable[[], datetime] = utc_now
) -> Moment:
    """The present time as fields of an event; the arguments are those of ``EventStream``."""
    now = wall_clock().astimezone(UTC).isoformat(timespec="milliseconds")
    return {"time": now, "at": round(clock(), 4)}


class EventStream:
    """The events of one call, in order.

    Use it in one event loop only. Subscribers are called synchronously, in the order in which they
    subscribed; they must not block, and must not change the event. An event that a subscriber emits
    is delivered after the present one.

    Args:
        call: the call's id.
        clock: returns monotonic seconds.
        wall_clock: returns the time as a timezone-aware datetime.
    """

    def __init__(
        self,
        call: str,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._call = call
        self._clock = clock
        self._wall_clock = wall_clock
        self._subscribers: list[Subscriber] = []
        self._undelivered: deque[Event] = deque()
        self._is_delivering = False

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call ``subscriber`` with every event from now on; its exceptions are only logged."""
        self._subscribers.append(subscriber)

    def moment(self) -> CallMoment:
        """The fields that all events of a call share, for the present time."""
        return {"call": self._call, **moment(self._clock, self._wall_clock)}

    def emit(self, event: Event) -> None:
        """Deliver ``event`` to all subscribers."""
        self._undelivered.append(event)
        if self._is_delivering:
            return
        self._is_delivering = True
        try:
            while self._undelivered:
                self._deliver(self._undelivered.popleft())
        finally:
            self._is_delivering = False
            if self._undelivered:  # a subscriber raised what is no Exception; the rest still counts
                self.emit(self._undelivered.popleft())

    def _deliver(self, event: Event) -> None:
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(event)
            except Exception:  # noqa: BLE001 - the call and the other subscribers go on
                _stream_log.exception(
                    "a subscriber to a call's events failed",
                    extra={"room": self._call, "failed_on": event["event"]},
                )


LOGGER_NAME = "lastword.call"
_log = logging.getLogger(LOGGER_NAME)
_stream_log = logging.getLogger("lastword.events")
_PREFIX = "lk.pii."
"""With redaction switched on, LiveKit does not export fields with this prefix."""

_SENTENCES = {
    "worker_registered": "the worker is registered",
    "call_refused": "a call was refused",
    "call_started": "the call has started",
    "caller_joined": "the caller is on the line",
    "caller_said": "the caller said something",
    "agent_said": "the agent said something",
    "graph_told": "the graph was told of a call event",
    "graph_answered": "the graph has answered",
    "ending": "the call will end after a farewell",
    "ending_cancelled": "the caller spoke over the goodbye, the call goes on",
    "farewell_played": "the farewell was played to its end",
    "hanging_up": "hanging up",
    "gone": "the line is gone",
    "hang_up_failed": "the line may still be up",
    "call_ended": "the call has ended",
}
_LEVELS = {"call_refused": logging.ERROR}


def _log_names(kind: type) -> dict[str, str]:
    """The names of an event's fields in the log, by field."""
    hints = get_type_hints(kind, include_extras=True)
    return {
        field: _PREFIX + field if PERSONAL in getattr(hint, "__metadata__", ()) else field
        for field, hint in hints.items()
    }


_LOG_NAMES = {name: _log_names(kind) for name, kind in EVENTS.items()}


def log_event(event: Event) -> None:
    """Log an event as a fixed sentence with its fields; personal fields get LiveKit's prefix."""
    name = event["event"]
    fields = {_LOG_NAMES[name][field]: value for field, value in event.items()}
    _log.log(_LEVELS.get(name, logging.INFO), _SENTENCES[name], extra=fields)


def personal(**fields: object) -> dict[str, object]:
    """Prefix personal fields for a log record that is not an event: ``extra=personal(...)``."""
    return {_PREFIX + name: value for name, value in fields.items()}


def read_event(line: str) -> Event | None:
    """Read an event from a line of a worker's JSON log; None if the line is not an event.

    A line with a missing field, or with another type for ``time``, ``call`` or ``at``, is not an
    event; the values of the other fields are not checked.
    """
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or entry.get("name") != LOGGER_NAME:
        return None
    names = _LOG_NAMES.get(str(entry.get("event")))
    if names is None or not entry.keys() >= set(names.values()):
        return None
    texts = (entry[name] for name in ("time", "call") if name in names)
    if not all(isinstance(text, str) for text in texts) or not _is_time(entry["at"]):
        return None
    return cast("Event", {field: entry[logged] for field, logged in names.items()})


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
