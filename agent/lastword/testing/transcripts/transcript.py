"""A written conversation: what the caller says and does, and what is expected of the agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from lastword.events import EndedBy
from lastword.testing.wording import words_of
from lastword.untrusted.patterns import compile_pattern
from lastword.untrusted.printable import quoted

Level = Literal["graph", "session", "room"]
_DAY = 86_400.0
"""Seconds; no call lasts longer."""


def _list(value: object) -> object:
    """Let a single value stand for a list with one entry."""
    return value if isinstance(value, list) else [value]


def _has_words(texts: list[str]) -> list[str]:
    """Refuse texts without words: a search would find them always, or never."""
    for text in texts:
        if not words_of(text):
            raise ValueError(f"{quoted(text)} has no words in it")
    return texts


Texts = Annotated[list[str], BeforeValidator(_list)]
Words = Annotated[Texts, AfterValidator(_has_words)]


class _Part(BaseModel):
    """A part of a transcript; unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Ended(_Part):
    """What is expected of a call's end; a field that is not given is not checked."""

    ended_by: EndedBy | None = None
    reason: str | None = None
    outcome: Any = None
    """Values that the outcome must contain; it may contain more."""
    source: Literal["node", "token", "event", "tool", "failure"] | None = None
    after: str | None = None
    """Words that the caller must have heard in the turn that ended the call."""

    @field_validator("after")
    @classmethod
    def _can_be_said(cls, after: str | None) -> str | None:
        _has_words([after] if after is not None else [])
        return after


class AtMost(_Part):
    """Limits for one answer."""

    words: int | None = Field(None, ge=0)
    seconds: float | None = Field(None, gt=0, le=_DAY, strict=False)
    """Longest time until the answer: at the levels graph and session until the graph has finished
    it, in a room until its first sound."""


class ModelAnswer(_Part):
    """An answer of the graph's chat model: words, tool calls, both, or a failure."""

    says: str = ""
    calls: dict[str, dict[str, Any]] = {}
    fails: str | None = None
    """The model fails with this message."""
    node: str | None = None
    """The answer is only for the model of this node."""


OneTool = Annotated[dict[str, dict[str, Any] | None], Field(min_length=1, max_length=1)]
"""A tool and its arguments: exactly one name, as only one is checked."""


def _answer(value: object) -> object:
    return {"says": value} if isinstance(value, str) else value


class AgentTurn(_Part):
    """What is expected of the agent's answer; ``model`` has the answers of its chat model."""

    line: int = 0
    agent: str | None = None
    """All that the agent says, compared without case and punctuation; "..." means any words."""
    says: Words = []
    """Words that must be in the answer."""
    matches: Texts = []
    """Regular expressions that must match somewhere in the answer; case is ignored."""
    never_says: Words = []
    intent: str | None = None
    """What the answer must mean; only checked with ``--lastword-judge``."""
    nodes: Texts | None = None
    """The whole path through the graph; "..." stands for any nodes."""
    tools: list[str | OneTool] | None = None
    """All tool calls in order: a name, or a name with some of the arguments; an empty list means no
    tool call."""
    state: dict[str, Any] = {}
    """Values that the graph's state must contain; it may contain more."""
    open: bool | None = None
    """true: the call goes on after this answer; false: it ends here."""
    ended: bool | Ended | None = None
    """true: the call ends here; fields: how it ends; false: it goes on."""
    at_most: AtMost = AtMost()
    model: Annotated[
        list[Annotated[ModelAnswer, BeforeValidator(_answer)]], BeforeValidator(_list)
    ] = []

    @field_validator("matches")
    @classmethod
    def _compiles(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            compile_pattern(pattern)
        return patterns

    @model_validator(mode="after")
    def _not_both(self) -> AgentTurn:
        if self.open is not None and self.ended is not None and self.open != (not self.ended):
            raise ValueError("`open` and `ended` contradict each other")
        return self


class _Trigger(_Part):
    """Something that the caller does.

    With ``over`` it interrupts the agent, after these words of the agent.
    """

    line: int = 0
    over: str | None = None

    @field_validator("over")
    @classmethod
    def _can_be_said(cls, over: str | None) -> str | None:
        _has_words([over] if over is not None else [])
        return over


class CallerSays(_Trigger):
    """The caller says something."""

    caller: str
    heard: str | None = None
    """What the STT recognised; at the levels without audio, the graph gets this instead."""

    @field_validator("heard")
    @classmethod
    def _was_heard(cls, heard: str | None) -> str | None:
        if heard is not None and not words_of(heard):
            raise ValueError("has no words; for a caller who is not recognised write `silence: 10`")
        return heard

    @field_validator("caller")
    @classmethod
    def _has_words(cls, words: str) -> str:
        if not words.strip():
            raise ValueError("has no words; for a caller who says nothing write `silence: 10`")
        return words.strip()

    @property
    def understood(self) -> str:
        """The words that the graph gets."""
        return self.heard or self.caller


class HangsUp(_Trigger):
    """The caller hangs up."""

    hangs_up: Literal[True]


class Silence(_Part):
    """Nobody speaks for ``silence`` seconds; the graph gets a call event, or the call ends."""

    line: int = 0
    silence: float = Field(10.0, gt=0, le=_DAY, strict=False)


class LimitNear(_Part):
    """The call must end in ``limit_near`` seconds; the graph gets a call event."""

    line: int = 0
    limit_near: float = Field(gt=0, le=_DAY, strict=False)


class TimeUp(_Part):
    """The call reaches its maximum duration."""

    line: int = 0
    time_up: Literal[True]


class Voicemail(_Part):
    """An answering machine takes the call; ``voicemail`` is what it says."""

    line: int = 0
    voicemail: str


class Keypad(_Part):
    """The caller presses keys."""

    line: int = 0
    keypad: str = Field(pattern=r"^[0-9*#A-D]+$")


Cut = CallerSays | HangsUp
"""What may interrupt the agent."""
Trigger = CallerSays | HangsUp | Silence | LimitNear | TimeUp | Voicemail | Keypad
Step = Trigger | AgentTurn
STEPS: Mapping[str, type[Step]] = {
    "caller": CallerSays,
    "hangs_up": HangsUp,
    "silence": Silence,
    "limit_near": LimitNear,
    "time_up": TimeUp,
    "voicemail": Voicemail,
    "keypad": Keypad,
    "agent": AgentTurn,
}
"""The kind of a turn by its distinguishing field."""


def _time(value: object) -> object:
    """Read a date and time; without this, pydantic reads a number as seconds since 1970."""
    if isinstance(value, datetime):
        return value
    try:
        found = datetime.fromisoformat(str(value)) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or not _FIRST_YEAR < found.year < _LAST_YEAR:
        raise ValueError(f'must be like "2026-11-23 09:00", not {quoted(value)}')
    return found


_FIRST_YEAR = 1970
_LAST_YEAR = 9999
"""Both are excluded: a later time, or one in another time zone, may be in the next year."""


class Transcript(_Part):
    """A written conversation: the call, its turns, and how it ends."""

    path: Path = Path()
    title: str | None = None
    graph: str | None = None
    """The graph's name in ``langgraph.json``; default: the first graph there."""
    metadata: dict[str, Any] = {}
    """The metadata of the dispatch; ``direction`` is one of its keys."""
    clock: Annotated[datetime, BeforeValidator(_time), Field(strict=False)] | None = None
    """The graph's clock at the start of the call; local time."""
    marks: Annotated[
        list[Annotated[str, Field(pattern=r"^[A-Za-z]\w*$")]], BeforeValidator(_list)
    ] = []
    """Marks for ``pytest -m``."""
    levels: Annotated[list[Level], BeforeValidator(_list), Field(min_length=1)] = [
        "graph",
        "session",
        "room",
    ]
    """The levels at which the conversation can run; at others it is skipped."""
    turns: list[Step]
    never_says: Words = []
    ended: bool | Ended | None = None
    """How the call ends; false: it stays open after the last turn."""
    ended_line: int = 0

    @property
    def name(self) -> str:
        """The file's name without folder and suffix."""
        return self.path.stem

    @property
    def caller_lines(self) -> list[str]:
        """The words of each caller turn, in order."""
        return [turn.caller for turn in self.turns if isinstance(turn, CallerSays)]

    @property
    def exchanges(self) -> Sequence[Exchange]:
        """The turns as pairs of trigger and expected answer; the opening is the first."""
        pairs = [Exchange(None, None)]
        for step in self.turns:
            if not isinstance(step, AgentTurn):
                pairs.append(Exchange(step, None))
            elif pairs[-1].expected is None:
                pairs[-1] = Exchange(pairs[-1].trigger, step)
            else:
                pairs.append(Exchange(None, step))
        return pairs


class Exchange(BaseModel):
    """What happens (None: nothing, the agent speaks first), and what is expected after it."""

    model_config = ConfigDict(frozen=True)

    trigger: Trigger | None
    expected: AgentTurn | None

    def __init__(self, trigger: Trigger | None, expected: AgentTurn | None) -> None:
        super().__init__(trigger=trigger, expected=expected)

    @property
    def line(self) -> int:
        """The line of the file at which the exchange begins."""
        first = self.trigger or self.expected
        return first.line if first else 0
