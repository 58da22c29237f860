"""Voices that need no speech engine: bursts of noise in the rhythm of words."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
WORD_S = 0.2
PAUSE_S = 0.06


@dataclass(frozen=True)
class NoiseLine:
    """A spoken line, as the simulated caller's voice returns it."""

    samples: NDArray[np.int16]
    source: str = "noise"


def speak(text: str) -> NoiseLine:
    """Speak each word as a burst of noise; equal texts sound equal, others different."""
    return NoiseLine(babble(text))


def babble(text: str, rate: int = RATE) -> NDArray[np.int16]:
    """Return samples of ``text``, 0.26 s per word, with the last burst at the very end."""
    random = np.random.default_rng(zlib.crc32(text.encode()))
    pause = np.zeros(round(PAUSE_S * rate))
    swell = np.sqrt(np.hanning(round(WORD_S * rate)))
    parts = [pause]
    for _ in text.split():
        noise = np.cumsum(
            random.standard_normal(len(swell))
        )  # most energy at low frequencies, as in speech
        noise -= np.convolve(noise, np.ones(rate // 200) / (rate // 200), "same")
        parts += [noise / np.abs(noise).max() * swell * random.uniform(3000, 12000), pause]
    return np.asarray(np.concatenate(parts[:-1]), np.int16)
