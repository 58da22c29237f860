"""Keep what the agent sent, to compare it with what the caller heard."""

from __future__ import annotations

import asyncio
import logging
import wave
from collections.abc import AsyncGenerator, AsyncIterable
from itertools import count
from pathlib import Path

import numpy as np
import numpy.typing as npt
from livekit import rtc

from lastword.errors import UnwritableFile
from lastword.private_files import private_file

_TONE_HZ, _TONE_S, _TONE_LEVEL = (500, 3000), 0.4, 8000

_log = logging.getLogger("lastword.speech")


def closing_tone(rate: int) -> npt.NDArray[np.int16]:
    """Make the tone that ends a measured farewell: 0.4 s, loud up to the last sample.

    It rises from 0.5 to 3 kHz, so that each part of it is unlike the others: a tone that a jitter
    buffer has squeezed can be told from one that was cut off.
    """
    time = np.arange(round(_TONE_S * rate)) / rate
    low, high = _TONE_HZ
    turns = low * time + (high - low) / (2 * _TONE_S) * time**2
    tone = _TONE_LEVEL * np.minimum(time / 0.005, 1.0) * np.cos(2 * np.pi * turns)
    return np.asarray(np.rint(tone), np.int16)


class WavTap:
    """Writes each utterance as it was sent to ``utterance-N.wav`` in a folder.

    Args:
        folder: where the files go, which are the owner's alone; made when missing.
        tone: end each utterance with a closing tone, which makes its end exact to measure.
    """

    def __init__(self, folder: Path, *, tone: bool) -> None:
        self._folder = folder
        self._tone = tone
        self._numbers = count(1)

    async def __call__(
        self, speech: AsyncIterable[rtc.AudioFrame]
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """Pass the frames on; write the file while the last of them are being played."""
        path = self._folder / f"utterance-{next(self._numbers):03}.wav"
        sent: list[rtc.AudioFrame] = []
        async for frame in speech:
            sent.append(frame)
            yield frame
        if not sent:
            return
        if self._tone:
            sent.append(_tone(sent[-1].sample_rate))
            yield sent[-1]
        try:
            await asyncio.to_thread(_write, path, sent)
        except UnwritableFile:
            _log.exception("what was said cannot be kept; the call goes on")


def _tone(sample_rate: int) -> rtc.AudioFrame:
    samples = closing_tone(sample_rate)
    return rtc.AudioFrame(samples.tobytes(), sample_rate, 1, len(samples))


def _write(path: Path, frames: list[rtc.AudioFrame]) -> None:
    with private_file(path) as target, wave.open(target, "wb") as file:
        file.setnchannels(frames[0].num_channels)
        file.setsampwidth(2)
        file.setframerate(frames[0].sample_rate)
        for frame in frames:
            file.writeframes(bytes(frame.data))
