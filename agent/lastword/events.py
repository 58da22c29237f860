"""What happens in a call, told once as typed events.

Whoever wants to know subscribes to the call's :class:`EventStream`; the log is one subscriber. An
event is a ``TypedDict``: its name in ``event``, when it happened, and fields of its own. The marker
``Personal`` in a field's type says that it may hold words, numbers or names of people; the log puts
such fields under LiveKit's prefix for personal data. ``docs/events.md`` is the table of all fields.

A program that runs a worker reads its events with :func:`read_event`; nothing else knows how an
event looks in the log.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
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
"""The type of a field that may say something about a person."""

EndedBy = Literal["graph", "caller", "operator", "limit", "dial", "error"]
FarewellState = Literal["none", "played", "muted", "cut_short", "overdue", "failed"]
"""What became of the farewell. ``none``: there was none, or nothing in it to speak; ``muted``: the
agent's voice was switched off meanwhile; ``cut_short``: it was stopped before its end; ``overdue``:
it took longer than ``farewell_max_wait``; ``failed``: there was no voice to speak it."""


class Moment(TypedDict):
    """When something happened."""

    time: str
    """Wall-clock time: ISO 8601, UTC, to the millisecond."""
    at: float
    """Seconds on the machine's monotonic clock: for durations and order."""


class CallMoment(Moment):
    """When something happened in a call."""

    call: str
    """The call's id, which is the name of its room."""


class Step(CallMoment):
    """A step of a call on its way to the hang-up; see ``docs/endings.md``."""

    phase: str
    """The phase that the call is in now."""
    why: str
    """Why it has moved on: a fixed sentence."""


class CallStarted(CallMoment):
    """A worker has taken the call."""

    event: Literal["call_started"]
    graph: str
    """The graph's name in ``langgraph.json``."""


class CallerJoined(CallMoment):
    """The caller is in the room."""

    event: Literal["caller_joined"]
    caller: Personal[str]
    """The caller's identity in the room; a phone's usually holds its number."""


class CallerSaid(CallMoment):
    """The caller has said something."""

    event: Literal["caller_said"]
    words: Personal[str]
    """What was recognised."""
    metrics: Mapping[str, float]
    """LiveKit's latencies of this turn, in seconds."""


class AgentSaid(CallMoment):
    """The agent has said something."""

    event: Literal["agent_said"]
    words: Personal[str]
    """What was played to the caller; where the caller interrupted, the part before that."""
    nodes: Sequence[str]
    """The graph's nodes that have run for it."""
    interrupted: bool
    """Whether the caller interrupted it."""
    seconds: float
    """How long it was played, up to ``at``; 0 for text without sound."""
    metrics: Mapping[str, float]
    """LiveKit's latencies of this answer, in seconds."""


class GraphTold(CallMoment):
    """The graph is told of something that happened to the call, other than the caller's words."""

    event: Literal["graph_told"]
    kind: str
    """Which call event of ``lastword.signals``: ``silence``, ``limit_near`` or ``keypad``."""
    told: Personal[Mapping[str, Any]]
    """The call event itself, as the graph gets it."""


class GraphAnswered(CallMoment):
    """The graph has finished a run. Only the worker of replayed calls reports this."""

    event: Literal["graph_answered"]
    nodes: Sequence[str]
    """The nodes that have run, in order."""
    tools: Personal[Sequence[tuple[str, Mapping[str, Any]]]]
    """The tools that were called, each with its arguments."""
    state: Personal[Mapping[str, Any]]
    """The parts of the graph's state that the transcript asks for."""
    missing: Personal[Sequence[str]]
    """Questions to models for which the transcript's cassette has no answer."""
    left: int
    """How many of the cassette's answers nobody has asked for."""
    taken: str | None
    """The edges of the graph that were taken, as JSON; null for a graph that runs elsewhere."""


class EndingDecided(Step):
    """The call is to end after a farewell."""

    event: Literal["ending"]
    ended_by: EndedBy
    """Who ends the call."""
    reason: Personal[str]
    """Why the call ends; a graph may write here what it likes."""
    outcome: Personal[dict[str, Any] | None]
    """The graph's result of the call."""
    source: str
    """What carried the decision: ``node``, ``token``, ``event``, ``tool``, ``failure`` (of the
    graph) or ``limit``."""


class EndingCalledOff(Step):
    """The caller spoke over the farewell, and the call goes on."""

    event: Literal["ending_cancelled"]
    reason: Personal[str]
    """The reason of the ending that was called off."""


class FarewellPlayed(Step):
    """The last sample of the farewell was played."""

    event: Literal["farewell_played"]


class HangingUp(Step):
    """The line is being taken down; nothing brings the call back from here."""

    event: Literal["hanging_up"]
    ended_by: EndedBy
    """Who ended the call."""
    reason: Personal[str]
    """Why the call ended."""
    farewell: FarewellState
    """What became of the farewell."""


class LineGone(Step):
    """The line was seen to be gone."""

    event: Literal["gone"]
    removed: str | None
    """What was removed: ``room``, ``caller`` or ``agent``."""


class HangUpFailed(Step):
    """Every try to take the line down has failed: it may still be up."""

    event: Literal["hang_up_failed"]


class CallEnded(CallMoment):
    """The call is over. This is its last event."""

    event: Literal["call_ended"]
    ended_by: EndedBy
    """Who ended the call."""
    reason: Personal[str]
    """Why the call ended; a graph may write here what it likes."""
    outcome: Personal[dict[str, Any] | None]
    """The graph's result of the call."""
    farewell: FarewellState
    """What became of the farewell."""
    disconnect_reason: str | None
    """LiveKit's name for why the caller or the room was gone, where that ended the call."""
    line_gone: bool
    """Whether the line was seen to be gone."""


class WorkerRegistered(Moment):
    """A LiveKit server knows the worker and may give it calls; again after every reconnection."""

    event: Literal["worker_registered"]
    worker: str
    """The id that the server gave it."""


class CallRefused(CallMoment):
    """The worker does not take a call whose dispatch it cannot use."""

    event: Literal["call_refused"]
    error: Personal[str]
    """What is wrong with the dispatch, which may quote it."""


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
"""Any event; ``event["event"]`` tells which, and narrows the type."""

EVENTS: Mapping[str, type] = {
    get_args(get_type_hints(kind)["event"])[0]: kind for kind in get_args(Event)
}
"""The type of each event, by its name."""

Subscriber = Callable[[Event], None]


def utc_now() -> datetime:
    """The time by the machine's wall clock."""
    return datetime.now(UTC)


def moment(
    clock: Callable[[], float] = time.monotonic, wall_clock: Callable[[], datetime] = utc_now
) -> Moment:
    """The present moment, as fields of an event; the arguments are those of ``EventStream``."""
    now = wall_clock().astimezone(UTC).isoformat(timespec="milliseconds")
    return {"time": now, "at": round(clock(), 4)}


class EventStream:
    """The events of one call, in order.

    It belongs to one event loop. Subscribers are called at once, in the order in which they
    subscribed; they must not block, and must not change the event. An event that a subscriber emits
    is delivered after the present one.

    Args:
        call: the call's id.
        clock: monotonic seconds.
        wall_clock: the time with its zone.
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
        """Tell ``subscriber`` of every event from now on; what it raises is logged, no more."""
        self._subscribers.append(subscriber)

    def moment(self) -> CallMoment:
        """The fields that all events of a call have in common, now."""
        return {"call": self._call, **moment(self._clock, self._wall_clock)}

    def emit(self, event: Event) -> None:
        """Tell all subscribers of ``event``."""
        self._undelivered.append(event)
        if self._is_delivering:
            return
        self._is_delivering = True
        try:
            while self._undelivered:
                self._deliver(self._undelivered.popleft())
        finally:
            self._is_delivering = False

    def _deliver(self, event: Event) -> None:
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(event)
            except Exception:  # noqa: BLE001 - neither the call nor the others depend on it
                _stream_log.exception(
                    "a subscriber to a call's events failed",
                    extra={"room": self._call, "failed_on": event["event"]},
                )


LOGGER_NAME = "lastword.call"
_log = logging.getLogger(LOGGER_NAME)
_stream_log = logging.getLogger("lastword.events")
_PREFIX = "lk.pii."
"""LiveKit leaves fields under this prefix out of what it exports with redaction switched on."""

_SENTENCES = {
    "worker_registered": "the worker is registered",
    "call_refused": "a call was refused",
    "call_started": "the call has started",
    "caller_joined": "the caller is on the line",
    "caller_said": "the caller said something",
    "agent_said": "the agent said something",
    "graph_told": "the graph was told of something that happened to the call",
    "graph_answered": "the graph has answered",
    "ending": "the call is to end after a farewell",
    "ending_cancelled": "the caller spoke over the goodbye, the call goes on",
    "farewell_played": "the farewell was played to its end",
    "hanging_up": "hanging up",
    "gone": "the line is gone",
    "hang_up_failed": "the line may still be up",
    "call_ended": "the call has ended",
}
_LEVELS = {"call_refused": logging.ERROR}


def _log_names(kind: type) -> dict[str, str]:
    """What the log calls the fields of an event."""
    hints = get_type_hints(kind, include_extras=True)
    return {
        field: _PREFIX + field if PERSONAL in getattr(hint, "__metadata__", ()) else field
        for field, hint in hints.items()
    }


_LOG_NAMES = {name: _log_names(kind) for name, kind in EVENTS.items()}


def log_event(event: Event) -> None:
    """Log an event: a fixed sentence and its fields, the personal ones under LiveKit's prefix."""
    name = event["event"]
    fields = {_LOG_NAMES[name][field]: value for field, value in event.items()}
    _log.log(_LEVELS.get(name, logging.INFO), _SENTENCES[name], extra=fields)


def personal(**fields: object) -> dict[str, object]:
    """Mark personal fields of a log record that is not an event: ``extra=personal(...)``."""
    return {_PREFIX + name: value for name, value in fields.items()}


def read_event(line: str) -> Event | None:
    """Read an event back from a line of a worker's JSON log; None: the line is something else.

    The values are as they were logged; only their presence is checked.
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
    return cast("Event", {field: entry[logged] for field, logged in names.items()})
