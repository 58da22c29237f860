"""When the simulated caller speaks: decided from what it hears, without a clock or a room."""

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
"""Seconds of silence after which the agent has finished speaking."""
VOICED_LEVEL = 60.0
"""Root mean square of a frame of 10 ms (of 32768) from which on it is voice; noise of the codec
for a silent line stays below 5."""

Change = Literal["started", "stopped"]

_CERTAIN_FRAMES = 3  # fewer voiced frames in a row are a click, not speech


class AgentVoice:
    """Tells from the received frames when the agent speaks."""

    def __init__(self) -> None:
        self.speaking = False
        self.started = 0.0
        """Time of the first voiced sample of the present or last speech."""
        self.last_voiced: float | None = None
        """Time of the last voiced sample of all."""
        self._voiced_frames = 0
        self._silent_frames = 0

    def hear(self, frame: NDArray[np.int16], end: float) -> Change | None:
        """Take the next 10 ms, whose last sample was there at ``end``, in seconds.

        Silence is counted in frames, not on the clock: a stalled process hears no pause.

        Returns what the frame makes certain. Speech that stopped ended at ``last_voiced``.
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
        """Take it that nothing more is heard; tells whether that ends a speech."""
        change: Change | None = "stopped" if self.speaking else None
        self.speaking = False
        return change


def level(frame: NDArray[np.int16]) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(frame.astype(np.float64))))) if len(frame) else 0.0


class CallerTurns:
    """Which line is next, and whether it is the caller's turn.

    The caller speaks when the agent has spoken since the caller's last line and has stopped, or,
    with a line that is to be said over the agent's words, when these have been said. It repeats
    its last line when the agent's words match the pattern. When it has no line left it listens.

    Args:
        lines: what the caller does.
        say_again: regular expression for the words by which the agent asks to repeat.

    Raises:
        BadPattern: ``say_again`` cannot be used.
        SlowPattern: from each method that tells which line to speak, for ``say_again``.
    """

    def __init__(self, lines: Sequence[CallerLine], say_again: str | None) -> None:
        self._lines = lines
        self._say_again = compile_pattern(say_again) if say_again else None
        self._next = 0
        self._words: dict[str, str] = {}
        self._open: set[str] = set()
        self._cut: set[str] = set()
        """Utterances over which the caller has spoken: the answer is another one."""
        self._silent = True
        self._speaking = False
        self._agent_spoke = False

    def agent_started(self) -> None:
        """Take note that the agent speaks."""
        self._agent_spoke, self._silent = True, False

    def agent_said(self, segment: str, words: str) -> int | None:
        """Take words of the agent, as far as they are known; ``segment`` tells utterances apart.

        Returns the number of the line to speak over them; None: there is none.
        """
        if segment in self._cut:
            return None
        self._words[segment] = words
        self._open.add(segment)
        if self._cut:  # its sound may go on where that of the cut one stopped
            self._agent_spoke = True
        over = self._lines[self._next].over if self._next < len(self._lines) else None
        if over is None or self._speaking or not contains(words, over):
            return None
        return self._begin(self._next)

    def agent_finished(self, segment: str) -> int | None:
        """Take note that an utterance has no more words; returns as ``agent_stopped``."""
        self._open.discard(segment)
        return self._turn() if self._silent else None

    def agent_stopped(self) -> int | None:
        """Return the number of the line to speak now; None when it is not the caller's turn.

        A pause of which the words tell that it is in mid-utterance, as on a machine that stalls, is
        not taken for the end.
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
        """Take note that the caller speaks out of turn."""
        self._speaking = True

    def finished(self, *, agent_speaking: bool) -> None:
        """Take note that the caller's line is over; the agent may be speaking already."""
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
