"""The job of a simulated caller: its lines, its break-ins and its voice."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from lastword.errors import CallFailed
from lastword.testing.stage.call_recording import Samples
from lastword.untrusted.bounded_input import MIB, BadInput, read_json
from lastword.untrusted.patterns import BadPattern, compile_pattern
from lastword.untrusted.printable import quoted

VOICE = "lastword.testing.stage.caller_voice:speak"
"""The default voice; it also takes a folder of recorded lines (``lines``)."""


class SpokenLine(Protocol):
    """What a voice returns: mono samples at 48 kHz, and their source."""

    @property
    def samples(self) -> Samples:
        """The sound."""

    @property
    def source(self) -> str:
        """Such as ``recorded``, ``flite`` or ``espeak``."""


Voice = Callable[[str], SpokenLine]


@dataclass(frozen=True)
class _Nothing:
    samples: Samples = field(default_factory=lambda: np.zeros(0, np.int16))
    source: str = "nothing"


NOTHING: SpokenLine = _Nothing()
"""The sound of a line without words."""


class Emit(Protocol):
    """Takes an event, the time when it happened, and its fields."""

    def __call__(self, event: str, t: float, **fields: Any) -> None:
        """Pass the event on."""


@dataclass(frozen=True)
class CallerLine:
    """What the caller does in its turn; in a job, a string is a line that it says.

    ``listen``: say nothing until the agent has spoken again. ``press``: press ``keys``. With
    ``over`` the caller does not wait for its turn, but for these words of the agent.
    """

    say: str = ""
    over: str | None = None
    does: Literal["say", "listen", "press", "hang_up"] = "say"
    keys: str = ""


@dataclass(frozen=True)
class BreakIn:
    """Words that the caller says at a fixed time, even while the agent is speaking."""

    text: str
    speech: int
    """Number of the agent's speech that it interrupts; 1 is the first."""
    after: float
    """Seconds after the start of that speech."""


@dataclass(frozen=True)
class CallerJob:
    """What a caller does; the fields are the keys of the JSON object."""

    url: str
    token: str
    lines: Sequence[CallerLine] = ()
    """Each is done when the agent has spoken and has then been silent for 0.8 s; strings, or
    objects with the fields of ``CallerLine``."""
    break_ins: Sequence[BreakIn] = ()
    """Words besides these lines; objects with the fields of ``BreakIn``."""
    repeat_pattern: str | None = None
    """Regular expression, ignoring case: agent's words that make the caller repeat its line."""
    recording: str | None = None
    """Stereo file, ``.wav`` or ``.ogg``: the caller on the left, the agent on the right."""
    max_seconds: float = 180.0
    """After this time the caller gives up and leaves."""
    voice: str | None = None
    """``module:function`` from words to samples; default: the voice of ``caller_voice``."""
    recorded_lines: str | None = None
    """Folder of recorded lines for the default voice."""


def read_job(text: str) -> CallerJob:
    """Read a job.

    Raises:
        CallFailed: ``text`` is not a valid job; the message says why.
    """
    try:
        fields = read_json(text, MIB)
        break_ins = [BreakIn(**one) for one in fields.pop("break_ins", ())]
        lines = [_line(one) for one in fields.pop("lines", ())]
        job = CallerJob(**fields, lines=lines, break_ins=break_ins)
        compile_pattern(job.repeat_pattern or "")
    except BadInput as error:
        raise CallFailed(f"the caller's job {error.why}") from error
    except (BadPattern, TypeError, AttributeError) as error:
        raise CallFailed(f"the caller's job cannot be read: {error}") from error
    return job


def _line(line: object) -> CallerLine:
    match line:
        case str(words):
            return CallerLine(words)
        case dict(fields):
            return CallerLine(**fields)
        case _:
            raise CallFailed(f"the caller's lines must be strings or objects, not {quoted(line)}")


def load_voice(job: CallerJob) -> Voice:
    """Import the voice of a job.

    Raises:
        CallFailed: the voice does not exist, or needs a package that is not installed.
    """
    name = job.voice or VOICE
    module, _, function = name.partition(":")
    try:
        voice: Callable[..., SpokenLine] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise CallFailed(f"the caller's voice {name!r} does not load: {error}") from error
    if job.voice is None and job.recorded_lines is not None:
        return partial(voice, lines=Path(job.recorded_lines))
    return voice
