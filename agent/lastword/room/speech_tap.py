"""Write the audio that the agent sent to files, to compare it with what the caller heard."""

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
    """Create the tone that ends a measured farewell: 0.4 s, loud up to the last sample.

    It rises from 0.5 to 3 kHz, so that no two parts are alike: a tone that a jitter buffer has
    compressed can be distinguished from one that was cut off.
    """
    time = np.arange(round(_TONE_S * rate)) / rate
    low, high = _TONE_HZ
    turns = low * time + (high - low) / (2 * _TONE_S) * time**2
    tone = _TONE_LEVEL * np.minimum(time / 0.005, 1.0) * np.cos(2 * np.pi * turns)
    return np.asarray(np.rint(tone), np.int16)


class WavTap:
    """Writes each utterance, as it was sent, to a private file ``utterance-N.wav`` in a folder.

    Args:
        folder: folder of the files; created when missing.
        tone: whether to end each utterance with a closing tone, which marks its exact end.
    """

    def __init__(self, folder: Path, *, tone: bool) -> None:
        self._folder = folder
        self._tone = tone
        self._numbers = count(1)

    async def __call__(
        self, speech: AsyncIterable[rtc.AudioFrame]
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """Yield the frames; the file is written while the last frames are played."""
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
            _log.exception("the audio of an utterance cannot be written; the call continues")


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
