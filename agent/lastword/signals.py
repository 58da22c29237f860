"""What a graph may say to the call, and the policy of a call.

A graph needs nothing from here to end a call: reaching a node named ``end`` or streaming the end
token is enough. A graph that wants to say *why* it ended, or to speak from inside a slow node,
uses the channels and signals below. Signals are LangGraph custom stream events with the JSON
shapes of :class:`EndCallSignal` and :class:`SaySignal`, so a graph that cannot import this module
(another repository, another language behind a URL) sends the same dictionaries itself.
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
END_TOKEN = "<end>"  # noqa: S105 - a word of the conversation, not a secret
DEFAULT_REASON = "completed"

EndingSource = Literal["node", "token", "event", "tool", "failure"]


class Ending(TypedDict):
    """The graph's decision that the call is over.

    ``reason`` is snake_case and names the business case ("confirmed", "wrong_person");
    ``outcome`` is JSON for whoever ordered the call.
    """

    reason: str
    outcome: NotRequired[dict[str, Any] | None]


class Opening(TypedDict):
    """The call is connected and the graph has the first word."""

    kind: Literal["opening"]


class EndingCancelled(TypedDict):
    """The graph had ended the call; the caller spoke over the farewell, so the call goes on.

    ``reason`` is that of the ending, ``farewell`` what was to be said, ``heard`` what the caller
    heard of it. The state is that before the end node, and the caller's words are in ``messages``.
    """

    kind: Literal["ending_cancelled"]
    reason: str
    farewell: str
    heard: str


class Silence(TypedDict):
    """Nobody has said a word for ``seconds``; the graph may speak, end the call, or say nothing.

    ``count`` is 1 for the first such event after the caller's last words, and rises to ``of``;
    when silence follows the last one, the worker ends the call.
    """

    kind: Literal["silence"]
    count: int
    of: int
    seconds: float


class LimitNear(TypedDict):
    """The call will be ended in ``seconds_left``, whatever the graph does: time to wrap up."""

    kind: Literal["limit_near"]
    seconds_left: float


class Voicemail(TypedDict):
    """An answering machine has taken the call; ``words`` is what it said."""

    kind: Literal["voicemail"]
    words: str


class Keypad(TypedDict):
    """The caller has pressed keys: ``keys`` are of ``0-9*#A-D``."""

    kind: Literal["keypad"]
    keys: str


CallEvent = Opening | EndingCancelled | Silence | LimitNear | Voicemail | Keypad
"""Something that happened to the call, beside the caller's words; told apart by ``kind``."""

EVENT_KEY = "lastword_event"
"""Where a graph without the ``event`` channel finds an event: in ``additional_kwargs`` of the
caller's message, or of the message that stands for the event."""


class CallState(MessagesState):
    """State of a call's graph: the messages, the ending, and the event of this turn.

    The bridge clears both ``event`` and ``ending`` at the beginning of every turn.
    """

    ending: NotRequired[Ending | None]
    event: NotRequired[CallEvent | None]


class CallContext(TypedDict, total=False):
    """LangGraph runtime context of a call (``Runtime[CallContext]``); every key may be missing.

    ``metadata`` is the JSON object that was sent with the dispatch.
    """

    call_id: str
    direction: Literal["inbound", "outbound", "browser"]
    caller: str
    metadata: dict[str, Any]


class EndCallSignal(TypedDict):
    """Custom stream event: the call is over after what is said in this turn."""

    type: Literal["lastword.end_call"]
    reason: str
    outcome: NotRequired[dict[str, Any] | None]


class SaySignal(TypedDict):
    """Custom stream event: speak ``text`` now, in order with the streamed tokens.

    ``again``: a node says it that has failed before and is tried again; what such a node has
    already said is not repeated.
    """

    type: Literal["lastword.say"]
    text: str
    again: NotRequired[bool]


def end_call(reason: str = DEFAULT_REASON, outcome: dict[str, Any] | None = None) -> None:
    """End the call after this turn's words. Call it inside a node or a tool."""
    signal: EndCallSignal = {"type": "lastword.end_call", "reason": reason, "outcome": outcome}
    get_stream_writer()(signal)


def say(text: str) -> None:
    """Speak ``text`` at once, for example before slow work. Call it inside a node or a tool."""
    signal: SaySignal = {"type": "lastword.say", "text": text}
    running = get_runtime().execution_info
    if running is not None and running.node_attempt > 1:
        signal["again"] = True
    get_stream_writer()(signal)


_turn: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("lastword_turn", default=None)


async def turn_certain() -> None:
    """Wait until the answer that is being made will really be spoken.

    LiveKit lets a graph answer before it is certain that the caller has finished; a caller who
    goes on gets another answer, and this one is thrown away. Await this in a node or a tool before
    it books, cancels or sends anything: a run that is thrown away never gets past it. Outside a
    call (in Studio, in tests) and where nothing is speculative it returns at once.
    """
    wait = _turn.get()
    if wait is not None:
        await wait()


def speculate(until: Callable[[], Awaitable[None]]) -> None:
    """Make ``turn_certain`` wait for ``until`` in this task and those it starts; for the bridge."""
    _turn.set(until)


def is_end_call(event: object) -> TypeIs[EndCallSignal]:
    """Tell whether a custom stream event ends the call."""
    return (
        isinstance(event, dict)
        and event.get("type") == "lastword.end_call"
        and isinstance(event.get("reason"), str)
    )


def is_say(event: object) -> TypeIs[SaySignal]:
    """Tell whether a custom stream event is something to speak."""
    return (
        isinstance(event, dict)
        and event.get("type") == "lastword.say"
        and isinstance(event.get("text"), str)
    )


@dataclass(frozen=True)
class CallPolicy:
    """How calls of one graph are conducted; a module-level ``call_policy`` beside the graph.

    All times are in seconds; None switches off a limit whose type allows it.

    Raises:
        ValueError: a value is impossible, or two contradict each other; the message names them.
    """

    first_speaker: Literal["agent", "caller"] = "agent"
    end_node: str | None = END_NODE
    """Reaching the node of this name ends the call; None switches that off."""
    end_token: str | None = END_TOKEN
    """Streaming this text ends the call; it is never spoken. None switches that off."""
    silent_nodes: frozenset[str] = frozenset()
    """Nodes whose model output is never spoken (routers, classifiers)."""
    spoken_nodes: frozenset[str] | None = None
    """When set, only the output of these nodes is spoken."""

    tail: float = 0.5
    """Between the last sample of the farewell and the hang-up."""
    hang_up: Literal["room", "caller", "agent"] = "room"
    """Who is removed: everyone, by deleting the room; the caller alone, so that other agents and
    supervisors stay; or the agent alone, which leaves the caller on the line."""
    farewell_interruption: Literal["new_request", "any", "never"] = "new_request"
    """What the caller's voice over the farewell does. ``new_request``: goodbyes and thanks change
    nothing, anything more stops the farewell and keeps the call; ``any``: every interruption does;
    ``never``: none does."""
    is_closer: Callable[[str, str], bool] | None = None
    """Told the caller's words over the farewell and their language ("en", "pt-BR", or "" when it
    is not known), says whether they are nothing but a goodbye; it must answer at once. None:
    Lastword's own lists."""
    farewell_max_wait: float = 60.0
    """A farewell that has not been played to its end after this time is not waited for."""

    silence_timeout: float | None = 10.0
    """Without a word from either side, the graph gets a ``silence`` event."""
    silence_reminders: int = 2
    """So many ``silence`` events; the next silence ends the call, with ``ended_by`` limit."""
    silence_farewell: str = "I cannot hear you, so I am hanging up now. Goodbye."
    """What the caller hears before that; "" for nothing. Words over it keep the call."""
    first_words_timeout: float | None = 45.0
    """When nobody has said a word after this time, the call ends, with ``ended_by`` limit."""
    max_duration: float | None = 3600.0
    """The call ends then, with ``ended_by`` limit."""
    limit_warning: float = 30.0
    """So long before that the graph gets a ``limit_near`` event."""
    limit_farewell: str = "I am sorry, our time is up. Goodbye."
    """What the caller hears when the time is up; "" for nothing."""

    state_types: tuple[type, ...] = ()
    """Classes whose objects the graph's state may hold although its schema does not name them: in a
    channel of type ``Any``, as the value of an interrupt. The memory brings others back as plain
    data."""

    turn_timeout: float = 30.0
    """The graph may take so long for one turn; after that it counts as failed."""
    apology: str = "Sorry, something went wrong on my side. Could you say that again, please?"
    """What the caller hears when the graph fails; the call goes on."""
    must_answer: bool = True
    """An answer without a word, to something the caller said, counts as failed."""
    still_waiting: str = "One moment, please."
    """What a caller hears who speaks while the graph waits for an operator."""
    max_failures: int = 3
    """Failures in a row after which the call ends, with ``ended_by`` error."""
    failure_farewell: str = "I am sorry, we have a technical problem. Please call again later."
    """What the caller hears before that."""

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
"""The first would never come into effect, or the second would break off what the first allows."""
