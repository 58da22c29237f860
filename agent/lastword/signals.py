"""The signals that a graph sends to its call, the state it shares with it, and the call policy.

A graph needs nothing from this module to end a call: it reaches a node named ``end`` or streams the
end token. A graph that gives a reason for the ending, or that speaks from inside a slow node, uses
the channels and signals below. Signals are LangGraph custom stream events with the JSON shapes of
:class:`EndCallSignal` and :class:`SaySignal`. A graph that cannot import this module (in another
repository, or in another language behind a URL) can send the same dictionaries itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from inspect import iscoroutinefunction
from math import inf
from typing import Any, Literal, NotRequired

from langgraph.config import get_stream_writer
from langgraph.graph import MessagesState
from langgraph.runtime import get_runtime

# pydantic and Studio read these types, and refuse typing.TypedDict before Python 3.12.
from typing_extensions import TypedDict, TypeIs

__all__ = [
    "DEFAULT_REASON",
    "END_NODE",
    "END_TOKEN",
    "EVENT_KEY",
    "CallContext",
    "CallEvent",
    "CallPolicy",
    "CallState",
    "EndCallSignal",
    "Ending",
    "EndingCancelled",
    "EndingSource",
    "Keypad",
    "LimitNear",
    "Opening",
    "SaySignal",
    "Silence",
    "Voicemail",
    "end_call",
    "is_end_call",
    "is_say",
    "say",
    "turn_certain",
]

END_NODE = "end"
END_TOKEN = "<end>"  # noqa: S105 - a token of the graph's output, not a secret
DEFAULT_REASON = "completed"

EndingSource = Literal["node", "token", "event", "tool", "failure"]


class Ending(TypedDict):
    """The graph's decision that the call is over.

    ``reason`` is snake_case and names the business case ("confirmed", "wrong_person");
    ``outcome`` is the JSON result of the call for the system that ordered it.
    """

    reason: str
    outcome: NotRequired[dict[str, Any] | None]


class Opening(TypedDict):
    """The call is connected and the graph speaks first."""

    kind: Literal["opening"]


class EndingCancelled(TypedDict):
    """The graph had ended the call, but the caller spoke over the farewell, so the call continues.

    ``reason`` is the reason of the cancelled ending, ``farewell`` its full text, and ``heard`` the
    part of that text that was played to the caller. The graph's state is the state before the end
    node. The caller's words are in ``messages``.
    """

    kind: Literal["ending_cancelled"]
    reason: str
    farewell: str
    heard: str


class Silence(TypedDict):
    """Neither side has spoken for ``seconds``; the graph may speak, end the call, or say nothing.

    ``count`` is 1 for the first event after the caller's last words and rises to ``of``. If the
    line stays silent after the last event, the worker ends the call.
    """

    kind: Literal["silence"]
    count: int
    of: int
    seconds: float


class LimitNear(TypedDict):
    """The worker ends the call in ``seconds_left`` seconds, whatever the graph does."""

    kind: Literal["limit_near"]
    seconds_left: float


class Voicemail(TypedDict):
    """An answering machine has answered the call; ``words`` is the text of its greeting."""

    kind: Literal["voicemail"]
    words: str


class Keypad(TypedDict):
    """The caller has pressed keys; ``keys`` has one character of ``0-9*#A-D`` per key."""

    kind: Literal["keypad"]
    keys: str


CallEvent = Opening | EndingCancelled | Silence | LimitNear | Voicemail | Keypad
"""Input to the graph other than the caller's words; ``kind`` tells the types apart."""

EVENT_KEY = "lastword_event"
"""Key of the event in a message's ``additional_kwargs``, for a graph without the ``event`` channel.

The message is the caller's, or one that Lastword adds for the event."""


class CallState(MessagesState):
    """State of a call's graph: the messages, the ending, and the call event of this turn.

    The bridge clears ``event`` and ``ending`` at the start of every turn.
    """

    ending: NotRequired[Ending | None]
    event: NotRequired[CallEvent | None]


class CallContext(TypedDict, total=False):
    """LangGraph runtime context of a call (``Runtime[CallContext]``); any key may be missing.

    ``metadata`` is the JSON object from the dispatch.
    """

    call_id: str
    direction: Literal["inbound", "outbound", "browser"]
    caller: str
    metadata: dict[str, Any]


class EndCallSignal(TypedDict):
    """Custom stream event: end the call after the speech of this turn."""

    type: Literal["lastword.end_call"]
    reason: str
    outcome: NotRequired[dict[str, Any] | None]


class SaySignal(TypedDict):
    """Custom stream event: speak ``text`` now, in order with the streamed tokens.

    ``again`` is true when LangGraph retries a node that failed. Text that the node has already
    spoken is then not repeated.
    """

    type: Literal["lastword.say"]
    text: str
    again: NotRequired[bool]


def end_call(reason: str = DEFAULT_REASON, outcome: dict[str, Any] | None = None) -> None:
    """End the call after the speech of this turn. Call it inside a node or a tool."""
    signal: EndCallSignal = {"type": "lastword.end_call", "reason": reason, "outcome": outcome}
    get_stream_writer()(signal)


def say(text: str) -> None:
    """Speak ``text`` now, for example before slow work. Call it inside a node or a tool."""
    signal: SaySignal = {"type": "lastword.say", "text": text}
    running = get_runtime().execution_info
    if running is not None and running.node_attempt > 1:
        signal["again"] = True
    get_stream_writer()(signal)


_turn: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("lastword_turn", default=None)


async def turn_certain() -> None:
    """Wait until it is certain that the answer of this run will be spoken.

    With preemptive generation, LiveKit runs the graph before it is certain that the caller has
    finished. If the caller continues, this run is discarded and the graph runs again. Await this
    function in a node or a tool before it books, cancels or sends anything: a discarded run never
    gets past it. Outside a call (in Studio, in tests), and in a run that is not speculative, it
    returns at once.
    """
    wait = _turn.get()
    if wait is not None:
        await wait()


def speculate(until: Callable[[], Awaitable[None]]) -> None:
    """Make ``turn_certain`` await ``until`` in this task and its child tasks; for the bridge."""
    _turn.set(until)


def is_end_call(event: object) -> TypeIs[EndCallSignal]:
    """Whether a custom stream event is an ``EndCallSignal``."""
    return (
        isinstance(event, dict)
        and event.get("type") == "lastword.end_call"
        and isinstance(event.get("reason"), str)
    )


def is_say(event: object) -> TypeIs[SaySignal]:
    """Whether a custom stream event is a ``SaySignal``."""
    return (
        isinstance(event, dict)
        and event.get("type") == "lastword.say"
        and isinstance(event.get("text"), str)
    )


@dataclass(frozen=True)
class CallPolicy:
    """Rules for the calls of one graph: a module-level ``call_policy`` in the graph's module.

    All times are in seconds. None switches a limit off where its type allows None.

    Raises:
        ValueError: a value is out of range, or two values contradict each other; the message names
            them.
    """

    first_speaker: Literal["agent", "caller"] = "agent"
    end_node: str | None = END_NODE
    """Reaching the node with this name ends the call; None switches this off."""
    end_token: str | None = END_TOKEN
    """Streaming this text ends the call. It is never spoken. None switches this off."""
    silent_nodes: frozenset[str] = frozenset()
    """Nodes whose model output is never spoken (routers, classifiers)."""
    spoken_nodes: frozenset[str] | None = None
    """When set, only the output of these nodes is spoken."""

    tail: float = 0.5
    """Wait between the last sample of the farewell and the hang-up."""
    hang_up: Literal["room", "caller", "agent"] = "room"
    """Which participants the hang-up removes. ``room``: all of them, by deleting the room;
    ``caller``: only the caller, so other agents and supervisors stay; ``agent``: only the agent, so
    the caller stays on the line."""
    farewell_interruption: Literal["new_request", "any", "never"] = "new_request"
    """Effect of the caller's speech over the farewell. ``new_request``: closers (goodbyes, thanks)
    have no effect, any other words stop the farewell and the call continues; ``any``: every
    interruption stops the farewell and the call continues; ``never``: no interruption does."""
    is_closer: Callable[[str, str], bool] | None = None
    """Function ``(words, language) -> bool``: whether the caller's words over the farewell are only
    a closer, such as "bye". ``language`` is "en", "pt-BR" and so on, or "" if unknown. It must
    return at once. None: use Lastword's own word lists."""
    farewell_max_wait: float = 60.0
    """Longest wait for the end of the farewell's playout; after it, the hang-up does not wait."""

    silence_timeout: float | None = 10.0
    """After this time without speech from either side, the graph gets a ``silence`` event."""
    silence_reminders: int = 2
    """Number of ``silence`` events; the next silence ends the call (``ended_by``: ``limit``)."""
    silence_farewell: str = "I cannot hear you, so I am hanging up now. Goodbye."
    """Spoken before the call ends through silence; "" for nothing. If the caller speaks over it,
    the call continues."""
    first_words_timeout: float | None = 45.0
    """If neither side has spoken by this time, the call ends, with ``ended_by`` ``limit``."""
    max_duration: float | None = 3600.0
    """Longest duration of a call; then it ends, with ``ended_by`` ``limit``."""
    limit_warning: float = 30.0
    """The graph gets a ``limit_near`` event this long before ``max_duration``."""
    limit_farewell: str = "I am sorry, our time is up. Goodbye."
    """Spoken when ``max_duration`` is reached; "" for nothing."""

    state_types: tuple[type, ...] = ()
    """Classes whose objects the graph's state may hold although its schema does not name them, for
    example in a channel of type ``Any`` or as the value of an interrupt. The graph's memory
    restores objects of other classes as plain data."""

    turn_timeout: float = 30.0
    """Longest time for one turn of the graph; a longer turn counts as a failure."""
    apology: str = "Sorry, something went wrong on my side. Could you say that again, please?"
    """Spoken when the graph fails; the call continues."""
    must_answer: bool = True
    """Whether an answer without words, to something the caller said, counts as a failure."""
    still_waiting: str = "One moment, please."
    """Spoken when the caller speaks while the graph waits for an operator."""
    max_failures: int = 3
    """Number of consecutive failures that ends the call, with ``ended_by`` ``error``."""
    failure_farewell: str = "I am sorry, we have a technical problem. Please call again later."
    """Spoken before the call ends through failures."""

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"CallPolicy.{name} must be one of {', '.join(choices)}, "
                    f"not {getattr(self, name)!r}"
                )
        if self.end_token is not None and not self.end_token.strip():
            raise ValueError("CallPolicy.end_token must not be blank; None switches it off")
        if self.end_node is not None and not self.end_node:
            raise ValueError("CallPolicy.end_node must not be empty; None switches it off")
        if iscoroutinefunction(self.is_closer):
            raise ValueError("CallPolicy.is_closer must be a plain function, not `async def`")
        if not isinstance(self.state_types, tuple) or not all(
            isinstance(kind, type) for kind in self.state_types
        ):
            raise ValueError(
                f"CallPolicy.state_types must be a tuple of classes, not {self.state_types!r}"
            )
        self._refuse_impossible_numbers()
        self._refuse_contradictions()

    def _refuse_impossible_numbers(self) -> None:
        for name in _ABOVE_ZERO:
            value = getattr(self, name)
            if value is None and name in _CAN_BE_OFF:
                continue
            if value is None or not 0 < value < inf:
                raise ValueError(f"CallPolicy.{name} must be above 0 seconds, not {value!r}")
        for name, least in (("max_failures", 1), ("silence_reminders", 0)):
            value = getattr(self, name)
            if value is None or value < least:
                raise ValueError(f"CallPolicy.{name} must be {least} or more, not {value!r}")
        if self.tail is None or not 0 <= self.tail <= _LONGEST_TAIL:
            raise ValueError(f"CallPolicy.tail must be 0 to 10 seconds, not {self.tail!r}")

    def _refuse_contradictions(self) -> None:
        both = self.silent_nodes & (self.spoken_nodes or frozenset())
        if both:
            raise ValueError(
                f"CallPolicy.silent_nodes and CallPolicy.spoken_nodes both name {', '.join(both)}"
            )
        for shorter, longer in _SHORTER_THAN:
            short, long = getattr(self, shorter), getattr(self, longer)
            if short is not None and long is not None and short >= long:
                raise ValueError(
                    f"CallPolicy.{shorter} ({short:g} s) must be shorter than "
                    f"CallPolicy.{longer} ({long:g} s)"
                )


_LONGEST_TAIL = 10
_CHOICES = {
    "first_speaker": ("agent", "caller"),
    "hang_up": ("room", "caller", "agent"),
    "farewell_interruption": ("new_request", "any", "never"),
}
_ABOVE_ZERO = (
    "farewell_max_wait",
    "silence_timeout",
    "first_words_timeout",
    "max_duration",
    "limit_warning",
    "turn_timeout",
)
_CAN_BE_OFF = ("silence_timeout", "first_words_timeout", "max_duration")
_SHORTER_THAN = (
    ("turn_timeout", "first_words_timeout"),
    ("turn_timeout", "max_duration"),
    ("silence_timeout", "first_words_timeout"),
    ("silence_timeout", "max_duration"),
    ("limit_warning", "max_duration"),
)
"""Pairs (shorter, longer). Otherwise the longer limit would always come first, and the other one
would have no effect."""
