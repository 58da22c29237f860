"""A stereo recording of a call as the caller heard it, with both sides on one clock."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from lastword.private_files import private_file

RATE = 48_000
GAP_S = 0.03
"""Seconds: frames that are later than this, and stay later, follow a gap."""

Samples = NDArray[np.int16]


class Side:
    """One voice of the recording: its frames, and the times at which they ended.

    If a frame is late because this process was slow, the frames after it catch up; if it is late
    because nothing was sent, they do not. So a frame's position depends on all later frames.
    """

    def __init__(self) -> None:
        self._frames: list[Samples] = []
        self._ends: list[float] = []

    def add(self, frame: Samples, end: float) -> None:
        """Add a frame whose last sample came at ``end``, in seconds on the call's clock."""
        self._frames.append(frame)
        self._ends.append(end)

    def placed(self, zero: float) -> list[tuple[int, Samples]]:
        """Each frame after its position: samples from the time ``zero`` to its first sample."""
        if not self._frames:
            return []
        lengths = np.array([len(frame) for frame in self._frames])
        before = np.cumsum(lengths) / RATE
        late = np.minimum.accumulate((np.array(self._ends) - before)[::-1])[::-1]
        placed, lag, at = [], float(late[0]), 0.0
        for frame, now, length in zip(self._frames, late.tolist(), lengths.tolist(), strict=True):
            lag = now if now - lag > GAP_S else lag
            placed.append((round((lag + at - zero) * RATE), frame))
            at += length / RATE
        return placed


class CallRecording:
    """The caller's voice on the left, everything that was received on the right.

    Args:
        zero: time at which the recording begins, in seconds on the clock of all frames.
    """

    def __init__(self, zero: float) -> None:
        self._zero = zero
        self.caller = Side()
        self._received: dict[str, Side] = {}

    def received(self, track: str) -> Side:
        """The side of one received track; all received tracks are mixed."""
        return self._received.setdefault(track, Side())

    def stereo(self, end: float) -> Samples:
        """Samples of shape (n, 2) from the beginning to the time ``end``; gaps are silence."""
        length = max(round((end - self._zero) * RATE), 0)
        mix = np.zeros((length, 2), np.int32)
        sides = [(0, self.caller), *((1, side) for side in self._received.values())]
        for channel, side in sides:
            for position, frame in side.placed(self._zero):
                first, after = max(position, 0), min(position + len(frame), length)
                if first < after:
                    mix[first:after, channel] += frame[first - position : after - position]
        return np.clip(mix, -32768, 32767).astype(np.int16)

    def write(self, path: Path, end: float) -> None:
        """Write the file, WAV if it is named so, else Ogg/Opus; readable by its owner only.

        A failed write leaves no incomplete file.

        Raises:
            UnwritableFile: it cannot be written.
        """
        samples = self.stereo(end)
        with private_file(path) as file:
            (_write_wav if path.suffix == ".wav" else _write_ogg)(file, samples)


def _write_wav(target: IO[bytes], samples: Samples) -> None:
    with wave.open(target, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


def _write_ogg(target: IO[bytes], samples: Samples) -> None:
    import soundfile  # noqa: PLC0415 - an optional extra, not needed for WAV

    channels = samples.shape[1]
    with soundfile.SoundFile(target, "w", RATE, channels, format="OGG", subtype="OPUS") as file:
        for start in range(0, len(samples), RATE):  # libsndfile overflows its stack on long pieces
            file.write(samples[start : start + RATE])
