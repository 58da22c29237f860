"""The simulated caller's voice: text to sound, with recorded lines the same on every machine.

A project can keep the lines of its caller scripts as small Ogg files, which ``python -m
lastword.tools.rehearsal.render_lines`` records with flite. A line without a recording is spoken by
flite, or by espeak if flite is not installed: pocketsphinx mishears about one word in twelve of
flite, and every second word of espeak.
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import soundfile
from livekit import rtc

SAMPLE_RATE = 48_000
FLITE_VOICE = "rms"
"""The flite voice with the fewest misheard words (benchmarks/offline_speech.py)."""

Samples = npt.NDArray[np.int16]

_QUIET = 48
"""Samples up to this amplitude (of 32767) at either end are silence."""
_EDGE_S = 0.02

_log = logging.getLogger("lastword.rehearsal")


@dataclass(frozen=True)
class CallerLine:
    """A spoken line: mono samples at 48 kHz, with at most 20 ms of silence at either end."""

    text: str
    samples: Samples
    source: Literal["recorded", "flite", "espeak"]

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE


def speak(text: str, *, lines: Path | None = None, flite: str | None = "flite") -> CallerLine:
    """Return the sound of a line; blocks for some milliseconds.

    Args:
        text: the words.
        lines: folder of recorded lines, if there is one.
        flite: name or path of the flite program; None: do not use flite.
    """
    if lines is not None and (recorded := recording(text, lines)).is_file():
        samples, rate = soundfile.read(recorded, dtype="int16")
        return CallerLine(text, resample(samples, rate, SAMPLE_RATE), "recorded")
    if flite is not None and (program := shutil.which(flite)):
        samples, rate = flite_voice(program, text)
        return CallerLine(text, resample(samples, rate, SAMPLE_RATE), "flite")
    _log.warning(
        "espeak speaks a caller's line, so half of its words will be misheard: "
        "install flite, or record the line",
        extra={"line": text},
    )
    # LiveKit's speech classes take a second to import, and most lines are recorded.
    from lastword.providers.offline import espeak_tts  # noqa: PLC0415

    samples = espeak_tts.synthesize(text)
    return CallerLine(text, resample(samples, espeak_tts.SAMPLE_RATE, SAMPLE_RATE), "espeak")


def recording(text: str, lines: Path) -> Path:
    """Path of a line's recording in ``lines``; case, punctuation and spaces do not matter.

    The name is the first words and a hash of all words: ``yes-this-is-anna-1c9a02.ogg``.
    """
    words = re.findall(r"[\w']+", text.lower())
    digest = hashlib.sha256(" ".join(words).encode()).hexdigest()[:6]
    slug = "-".join(re.sub(r"[^a-z0-9]", "", word) for word in words[:6])
    return lines / f"{slug}-{digest}.ogg"


def flite_voice(program: str, text: str, voice: str = FLITE_VOICE) -> tuple[Samples, int]:
    """Speak with flite; returns samples without silence at the ends, and their rate."""
    # The settings take 0.2 s to import, and most lines are recorded.
    from lastword.settings import environment_without_keys  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "line.wav"
        command = [program, "-voice", voice, "-t", text, "-o", str(file)]
        subprocess.run(  # noqa: S603 - a list, no shell
            command, check=True, capture_output=True, env=environment_without_keys()
        )
        samples, rate = soundfile.read(file, dtype="int16")
    return _trim(samples, rate), rate


def resample(samples: Samples, rate: int, to_rate: int) -> Samples:
    """Change the sample rate of mono samples."""
    if rate == to_rate or not samples.size:
        return samples
    resampler = rtc.AudioResampler(rate, to_rate, quality=rtc.AudioResamplerQuality.HIGH)
    frame = rtc.AudioFrame(samples.tobytes(), rate, 1, len(samples))
    frames = [*resampler.push(frame), *resampler.flush()]
    return np.concatenate([np.frombuffer(out.data, dtype=np.int16) for out in frames])


def _trim(samples: Samples, rate: int) -> Samples:
    heard = np.flatnonzero(np.abs(samples.astype(np.int32)) > _QUIET)
    if not heard.size:
        return samples[:0]
    edge = int(_EDGE_S * rate)
    return samples[max(0, heard[0] - edge) : heard[-1] + 1 + edge]
