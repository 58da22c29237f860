"""What came of one exchange of a conversation, at whatever level it was had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from livekit.agents.voice.run_result import RunResult

from lastword.events import EndedBy
from lastword.testing.forgotten_words import ForgottenWords


class ToolUse(NamedTuple):
    """A tool that the graph has called, and its arguments."""

    name: str
    args: Mapping[str, Any]


@dataclass(frozen=True)
class End:
    """How a call was ended; ``source`` is where the graph's decision came from, if it was its."""

    ended_by: EndedBy
    reason: str
    outcome: Any = None
    source: str | None = None


@dataclass(frozen=True)
class Reply:
    """The agent's answer to what the caller did, and what the graph did for it."""

    said: str = ""
    """What the caller has heard of it."""
    heard: str | None = None
    """What a recogniser has made of the caller's words; None where nothing is really heard."""
    nodes: Sequence[str] = ()
    tools: Sequence[ToolUse] = ()
    state: Mapping[str, Any] | None = None
    """The graph's state after it; None where it cannot be seen."""
    end: End | None = None
    """The end that was decided in it; the caller may still have called it off afterwards."""
    is_over: bool = False
    """The line is down."""
    seconds: float = 0.0
    """How long the caller waited for the answer."""
    forgotten: Sequence[ForgottenWords] = field(default=(), compare=False)
    """Words that were spoken but are in no message; () where the graph's state cannot be seen."""
    result: RunResult[Any] | None = field(default=None, compare=False)
    """LiveKit's record of the turn; None where there is no session, or where it keeps none."""


@dataclass(frozen=True)
class WholeCall:
    """What is known of a call when a conversation is over."""

    replies: Sequence[Reply]
    end: End | None
    """How it ended; None: it was still open."""
    hang_ups: int
    """How often a line was taken down."""
