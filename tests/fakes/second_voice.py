"""A caller whose recorded lines the offline recogniser understands, and who can cough.

The lines of ``over_the_farewell.txt`` are recorded in ``lines/`` with
``python -m lastword.tools.rehearsal.render_lines --voice awb --into tests/fakes/lines
tests/fakes/over_the_farewell.txt``. flite's voice awb is used because pocketsphinx recognises its
"thanks, you too".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lastword.testing.stage import caller_voice
from lastword.testing.stage.caller_job import SpokenLine

COUGH = "(cough)"
LINES = Path(__file__).parent / "lines"
_RATE = 48_000


@dataclass(frozen=True)
class Noise:
    """A sound without words."""

    samples: NDArray[np.int16]
    source: str = "noise"


def speak(text: str) -> SpokenLine:
    """Return a recorded line, or a cough.

    Raises:
        AssertionError: the line is not recorded.
    """
    if text == COUGH:
        return Noise(cough())
    line = caller_voice.speak(text, lines=LINES, flite=None)
    assert line.source == "recorded", f"{text!r} is not in {LINES}"
    return line


def cough() -> NDArray[np.int16]:
    """Return two bursts of noise, 0.2 s each."""
    random = np.random.default_rng(7)
    burst = random.standard_normal(_RATE // 5) * np.hanning(_RATE // 5) ** 2 * 9000
    pause = np.zeros(_RATE // 20)
    return np.concatenate([burst, pause, burst]).astype(np.int16)
