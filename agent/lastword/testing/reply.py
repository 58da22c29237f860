"""The result of one exchange of a conversation; the same types at every level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from livekit.agents.voice.run_result import RunResult

from lastword.events import EndedBy
from lastword.testing.forgotten_words import ForgottenWords


class ToolUse(NamedTuple):
    """A tool that the graph called, and its arguments."""

    name: str
    args: Mapping[str, Any]


@dataclass(frozen=True)
class End:
    """How a call ended.

    ``source`` is where the graph's decision came from; None when the graph did not end the call.
    """

    ended_by: EndedBy
    reason: str
    outcome: Any = None
    source: str | None = None


@dataclass(frozen=True)
class Reply:
    """The agent's answer to what the caller did, and what the graph did to give it."""

    said: str = ""
    """The words that the caller heard."""
    heard: str | None = None
    """What the STT recognised; None at the levels without audio."""
    nodes: Sequence[str] = ()
    tools: Sequence[ToolUse] = ()
    state: Mapping[str, Any] | None = None
    """The graph's state after the answer; None where it cannot be read."""
    end: End | None = None
    """The ending decided in this exchange; the caller may have cancelled it afterwards."""
    is_over: bool = False
    """Whether the line is down."""
    seconds: float = 0.0
    """How long the caller waited for the answer."""
    forgotten: Sequence[ForgottenWords] = field(default=(), compare=False)
    """Words that were spoken but are in no message; () where the graph's state cannot be read."""
    result: RunResult[Any] | None = field(default=None, compare=False)
    """LiveKit's result of the turn; None where there is no session, or no result."""


@dataclass(frozen=True)
class WholeCall:
    """What is known of a call at the end of a conversation."""

    replies: Sequence[Reply]
    end: End | None
    """How the call ended; None: it is still open."""
    hang_ups: int
    """How often the line was taken down."""
