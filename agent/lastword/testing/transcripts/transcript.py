"""A conversation as it is written down: what the caller says and does, and what must hold then."""

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
    """A field that takes several may be given one."""
    return value if isinstance(value, list) else [value]


def _has_words(texts: list[str]) -> list[str]:
    """Words that nobody can say would always be found, or never."""
    for text in texts:
        if not words_of(text):
            raise ValueError(f"{quoted(text)} has no words in it")
    return texts


Texts = Annotated[list[str], BeforeValidator(_list)]
Words = Annotated[Texts, AfterValidator(_has_words)]


class _Part(BaseModel):
    """A part of a transcript; a field that it does not have is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Ended(_Part):
    """What is expected of a call's end; what is not given is not checked."""

    ended_by: EndedBy | None = None
    reason: str | None = None
    outcome: Any = None
    """The outcome has at least these values."""
    source: Literal["node", "token", "event", "tool", "failure"] | None = None
    after: str | None = None
    """Words that the caller has heard in the turn that ended the call."""

    @field_validator("after")
    @classmethod
    def _can_be_said(cls, after: str | None) -> str | None:
        _has_words([after] if after is not None else [])
        return after


class AtMost(_Part):
    """Limits of one answer."""

    words: int | None = Field(None, ge=0)
    seconds: float | None = Field(None, gt=0, le=_DAY, strict=False)
    """Until the answer was there: at the levels graph and session until the graph had made it, in
    a room until its first sound."""


class ModelAnswer(_Part):
    """What the graph's chat model answers when it is asked: words, tool calls, both, or failure."""

    says: str = ""
    calls: dict[str, dict[str, Any]] = {}
    fails: str | None = None
    """The model breaks with this message."""
    node: str | None = None
    """Only for the model of this node."""


OneTool = Annotated[dict[str, dict[str, Any] | None], Field(min_length=1, max_length=1)]
"""A tool and its arguments; a second name in it would be looked at by nobody."""


def _answer(value: object) -> object:
    return {"says": value} if isinstance(value, str) else value


class AgentTurn(_Part):
    """What must hold after the agent's answer; and, under ``model``, what its model answers."""

    line: int = 0
    agent: str | None = None
    """All that the agent says; case and punctuation do not count, "..." stands for any words."""
    says: Words = []
    """Words that are in the answer."""
    matches: Texts = []
    """Regular expressions that are found in the answer, any case."""
    never_says: Words = []
    intent: str | None = None
    """What a judge finds in the answer; only looked at with ``--lastword-judge``."""
    nodes: Texts | None = None
    """The way through the graph, whole; "..." stands for any nodes."""
    tools: list[str | OneTool] | None = None
    """The tools that are called, in this order: a name, or a name with arguments, of which there
    may be more; an empty list for none."""
    state: dict[str, Any] = {}
    """The graph's state has at least these values."""
    open: bool | None = None
    """The call goes on after this answer; false: it ends here."""
    ended: bool | Ended | None = None
    """The call ends here, and how; false: it goes on."""
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
    """Something that the caller or the call does; ``over`` are the words of the agent after which
    it happens, while the agent is speaking.
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
    """What a recogniser made of it; the graph is told this where nothing is really heard."""

    @field_validator("heard")
    @classmethod
    def _was_heard(cls, heard: str | None) -> str | None:
        if heard is not None and not words_of(heard):
            raise ValueError("has no words; of a caller whom nobody has heard write `silence: 10`")
        return heard

    @field_validator("caller")
    @classmethod
    def _has_words(cls, words: str) -> str:
        if not words.strip():
            raise ValueError("has no words; for a caller who says nothing write `silence: 10`")
        return words.strip()

    @property
    def understood(self) -> str:
        """The words that the graph is told."""
        return self.heard or self.caller


class HangsUp(_Trigger):
    """The caller hangs up."""

    hangs_up: Literal[True]


class Silence(_Part):
    """Nobody says anything for so many seconds; the graph is told, or the call ends for it."""

    line: int = 0
    silence: float = Field(10.0, gt=0, le=_DAY, strict=False)


class LimitNear(_Part):
    """The call has to end in so many seconds; the graph is told."""

    line: int = 0
    limit_near: float = Field(gt=0, le=_DAY, strict=False)


class TimeUp(_Part):
    """The call has lasted as long as it may."""

    line: int = 0
    time_up: Literal[True]


class Voicemail(_Part):
    """An answering machine has taken the call; ``voicemail`` is what it says."""

    line: int = 0
    voicemail: str


class Keypad(_Part):
    """The caller presses keys."""

    line: int = 0
    keypad: str = Field(pattern=r"^[0-9*#A-D]+$")


Cut = CallerSays | HangsUp
"""What may happen while the agent is speaking."""
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
"""The field that says what kind of turn it is."""


def _time(value: object) -> object:
    """A date and a time; a bare number would be taken for seconds since 1970."""
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
"""A clock that runs on, or is in another time zone, needs the years around it."""


class Transcript(_Part):
    """A conversation: the call, the turns, and how it ends."""

    path: Path = Path()
    title: str | None = None
    graph: str | None = None
    """Name in ``langgraph.json``; default: the first one there."""
    metadata: dict[str, Any] = {}
    """The dispatch's; ``direction`` is one of its keys."""
    clock: Annotated[datetime, BeforeValidator(_time), Field(strict=False)] | None = None
    """What the graph's clock says when the call begins; local time."""
    marks: Annotated[
        list[Annotated[str, Field(pattern=r"^[A-Za-z]\w*$")]], BeforeValidator(_list)
    ] = []
    """For ``pytest -m``."""
    levels: Annotated[list[Level], BeforeValidator(_list), Field(min_length=1)] = [
        "graph",
        "session",
        "room",
    ]
    """Where the conversation can be had; elsewhere it is skipped."""
    turns: list[Step]
    never_says: Words = []
    ended: bool | Ended | None = None
    """How the call ends; false: it is still open after the last turn."""
    ended_line: int = 0

    @property
    def name(self) -> str:
        """The file's name without its folder and ending."""
        return self.path.stem

    @property
    def caller_lines(self) -> list[str]:
        """What the caller says."""
        return [turn.caller for turn in self.turns if isinstance(turn, CallerSays)]

    @property
    def exchanges(self) -> Sequence[Exchange]:
        """The turns as pairs: what happens, and what must hold then; the opening is the first."""
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
    """What happens (None: the agent speaks unasked), and what must hold after it."""

    model_config = ConfigDict(frozen=True)

    trigger: Trigger | None
    expected: AgentTurn | None

    def __init__(self, trigger: Trigger | None, expected: AgentTurn | None) -> None:
        super().__init__(trigger=trigger, expected=expected)

    @property
    def line(self) -> int:
        """Line of the file in which it begins."""
        first = self.trigger or self.expected
        return first.line if first else 0
