"""Decides when the simulated caller speaks, from what it hears; no clock, no room (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lastword.testing.stage.caller_job import CallerLine
from lastword.testing.wording import contains
from lastword.untrusted.patterns import compile_pattern, search

FRAME_S = 0.01
TURN_SILENCE = 0.8
"""Seconds of silence after which the agent counts as having finished speaking."""
VOICED_LEVEL = 60.0
"""A frame of 10 ms is voice from this root mean square on (full scale is 32768); the codec's noise
on a silent line stays below 5."""

Change = Literal["started", "stopped"]

_CERTAIN_FRAMES = 3  # fewer voiced frames in a row are a click, not speech


class AgentVoice:
    """Detects in the received frames when the agent speaks."""

    def __init__(self) -> None:
        self.speaking = False
        self.started = 0.0
        """Time of the first voiced sample of the current or last speech, seconds."""
        self.last_voiced: float | None = None
        """Time of the last voiced sample so far; None before the first."""
        self._voiced_frames = 0
        self._silent_frames = 0

    def hear(self, frame: NDArray[np.int16], end: float) -> Change | None:
        """Take the next frame of 10 ms, whose last sample came at ``end``, in seconds.

        Silence is counted in frames, not on the clock, so that a stalled process hears no pause.

        Returns "started" or "stopped" when that has become certain, else None. Speech that stopped
        ended at ``last_voiced``.
        """
        if level(frame) < VOICED_LEVEL:
            self._voiced_frames, self._silent_frames = 0, self._silent_frames + 1
            return self.ended() if self._silent_frames * FRAME_S >= TURN_SILENCE else None
        self._voiced_frames, self._silent_frames = self._voiced_frames + 1, 0
        loud = np.flatnonzero(np.abs(frame.astype(np.int32)) >= VOICED_LEVEL)
        self.last_voiced = end - FRAME_S * (1 - (int(loud[-1]) + 1) / len(frame))
        if self.speaking or self._voiced_frames < _CERTAIN_FRAMES:
            return None
        self.speaking, self.started = True, end - FRAME_S * self._voiced_frames
        return "started"

    def ended(self) -> Change | None:
        """End the current speech; returns "stopped" if there was one."""
        change: Change | None = "stopped" if self.speaking else None
        self.speaking = False
        return change


def level(frame: NDArray[np.int16]) -> float:
    """Root mean square of a frame."""
    return float(np.sqrt(np.mean(np.square(frame.astype(np.float64))))) if len(frame) else 0.0


class CallerTurns:
    """Decides which line is next, and when it is the caller's turn.

    It is the caller's turn when the agent has spoken since the caller's last line and has stopped.
    A line with ``over`` is spoken as soon as the agent has said these words. The caller repeats its
    last line when the agent's words match ``say_again``. Without lines left it listens.

    Args:
        lines: what the caller does.
        say_again: regular expression for the agent's words that ask the caller to repeat.

    Raises:
        BadPattern: ``say_again`` cannot be used.
        SlowPattern: matching ``say_again`` took too long; raised by each method that returns a
            line.
    """

    def __init__(self, lines: Sequence[CallerLine], say_again: str | None) -> None:
        self._lines = lines
        self._say_again = compile_pattern(say_again) if say_again else None
        self._next = 0
        self._words: dict[str, str] = {}
        self._open: set[str] = set()
        self._cut: set[str] = set()
        """Utterances that the caller has interrupted; they are not the answer to its words."""
        self._silent = True
        self._speaking = False
        self._agent_spoke = False

    def agent_started(self) -> None:
        """The agent has started to speak."""
        self._agent_spoke, self._silent = True, False

    def agent_said(self, segment: str, words: str) -> int | None:
        """Take the words of the agent's utterance ``segment``, as far as they are known.

        Returns the number of the line to speak over them, or None.
        """
        if segment in self._cut:
            return None
        self._words[segment] = words
        self._open.add(segment)
        if self._cut:  # its sound may follow that of the cut one without a pause
            self._agent_spoke = True
        over = self._lines[self._next].over if self._next < len(self._lines) else None
        if over is None or self._speaking or not contains(words, over):
            return None
        return self._begin(self._next)

    def agent_finished(self, segment: str) -> int | None:
        """An utterance has no more words; returns the same as ``agent_stopped``."""
        self._open.discard(segment)
        return self._turn() if self._silent else None

    def agent_stopped(self) -> int | None:
        """Return the number of the line to speak now; None if it is not the caller's turn.

        A pause inside an utterance, whose words are not complete, is not the end of the speech: it
        occurs on a machine that stalls.
        """
        self._silent = True
        return self._turn()

    def _turn(self) -> int | None:
        if self._speaking or not self._agent_spoke or self._open:
            return None
        if self._next and self._asked_again():
            return self._begin(self._next - 1)
        if self._next >= len(self._lines):
            return None
        if self._lines[self._next].does == "listen":
            self._next, self._agent_spoke = self._next + 1, False
            self._words.clear()
            return None
        return self._begin(self._next)

    def broke_in(self) -> None:
        """The caller has begun to speak out of turn."""
        self._speaking = True

    def finished(self, *, agent_speaking: bool) -> None:
        """The caller has finished a line; the agent may be speaking already."""
        self._speaking = False
        self._agent_spoke = bool(self._words) if self._cut else agent_speaking

    def _asked_again(self) -> bool:
        words = " ".join(self._words.values())
        return self._say_again is not None and search(self._say_again, words)

    def _begin(self, line: int) -> int:
        self._speaking, self._next = True, line + 1
        self._words.clear()
        self._cut, self._open = self._open, set()
        return line
