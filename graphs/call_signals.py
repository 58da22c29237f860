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
from typing import Any, Literal, NotRequired

from langgraph.config import get_stream_writer
from langgraph.graph import MessagesState
from langgraph.runtime import get_runtime

# pydantic and Studio read these types, and refuse typing.TypedDict before Python 3.12.
from typing_extensions import TypedDict, TypeIs

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


CallEvent = Opening | EndingCancelled
"""Something that happened to the call, beside the caller's words; told apart by ``kind``."""

EVENT_KEY = "lastword_event"
"""Where a graph without the ``event`` channel finds an ``EndingCancelled``: in
``additional_kwargs`` of the caller's message."""


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

    Raises:
        ValueError: a value is impossible; the message names the field.
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
    """Seconds between the last sample of the farewell and the hang-up."""

    turn_timeout: float = 30.0
    """Seconds that the graph may take for one turn; after that it counts as failed."""
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
        if self.turn_timeout <= 0:
            raise ValueError(f"CallPolicy.turn_timeout must be above 0, not {self.turn_timeout!r}")
        if self.max_failures < 1:
            raise ValueError(
                f"CallPolicy.max_failures must be 1 or more, not {self.max_failures!r}"
            )
        if not 0 <= self.tail <= 10:
            raise ValueError(f"CallPolicy.tail must be 0 to 10 seconds, not {self.tail!r}")
        if self.end_token is not None and not self.end_token.strip():
            raise ValueError("CallPolicy.end_token must not be blank; None switches it off")
        if self.end_node is not None and not self.end_node:
            raise ValueError("CallPolicy.end_node must not be empty; None switches it off")
