"""Measures how much of a farewell the caller received, from two recordings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lastword.room.speech_tap import closing_tone

Samples = NDArray[np.int16]
"""Mono audio."""
_Signal = NDArray[np.float64]

FRAME_S = 0.01
"""Resolution of the measurement, seconds."""
STRETCH_S = 0.06
"""Seconds by which a jitter buffer may shift a part of the farewell without loss."""
SEAM_S = 0.03
"""Seconds: a shorter gap in the middle is the seam of such a shift, and not a loss."""

_SILENT_DB = -45.0  # samples weaker than the loud frames by this much are silence
_RINGING_DB = -14.0  # weaker than the last frame by this much: the codec's ringing after it
_MOSTLY = 0.7  # a frame is lost if this part of it is silent
_VOICED_DB = -35.0  # a frame weaker than the loud frames by this much is a pause
_FLOOR = 20.0  # root mean square up to which nothing is voice (full scale is 32768)
_FOUND = 0.27  # from this likeness on, two recordings contain the same speech
_TELLING_RATE = 16_000
_SAME = 0.9  # from this likeness on, the end is a closing tone
_FAINT = 0.01  # below this part of the loudest stretch, likeness means nothing
_WINDOW_S = 0.06  # span that is compared to find the shift of a frame
_SHIFT_COST, _MOST_COST = 0.3, 3.0  # per ms of shift, in likeness summed over frames


@dataclass(frozen=True)
class Heard:
    """How much of a farewell was heard. All figures in seconds, counted in frames of 10 ms."""

    total_s: float
    """Voiced part of the sent audio; pauses do not count."""
    heard_s: float
    lost_s: float
    """Voiced in the sent audio, without energy in the received audio. In the middle, only gaps of
    at least ``SEAM_S`` count."""
    lost_at_end_s: float
    """The part of ``lost_s`` after the last heard frame."""
    offset_s: float | None
    """Where the farewell begins in the received audio; None if it is not in it."""
    last_sample_s: float | None
    """Where its last voiced sample is in the received audio; None if it is not in it."""


def at_rate(samples: Samples, rate: int, wanted: int) -> Samples:
    """Resample: a farewell is sent at the voice's rate and received at 48 kHz."""
    signal = _resampled(np.asarray(samples, np.float64), rate, wanted)
    return np.clip(np.rint(signal), -32768, 32767).astype(np.int16)


def _resampled(signal: _Signal, rate: int, wanted: int) -> _Signal:
    if rate == wanted or not len(signal):
        return signal
    margin = rate // 10  # trailing silence, else the end would wrap around to the beginning
    length = round((len(signal) + margin) * wanted / rate)
    spectrum = _resized(np.fft.rfft(np.append(signal, np.zeros(margin))), length // 2 + 1)
    resampled: _Signal = np.fft.irfft(spectrum, length) * (wanted / rate)
    return resampled[: round(len(signal) * wanted / rate)]


def _resized(spectrum: NDArray[np.complex128], bins: int) -> NDArray[np.complex128]:
    if bins <= len(spectrum):
        return spectrum[:bins]
    return np.concatenate([spectrum, np.zeros(bins - len(spectrum))])


def heard(sent: Samples, received: Samples, rate: int = 48_000) -> Heard:
    """Measure how much of ``sent`` is in ``received``.

    ``received`` may be longer, weaker and coded with loss, with other speech before and after.
    Both have the same ``rate``. Audio that a codec invents for a lost packet counts as heard.
    """
    frame = round(FRAME_S * rate)
    speech, padding = _in_frames(np.asarray(sent, np.float64), frame)
    ear = np.asarray(received, np.float64)
    frames = speech.reshape(-1, frame)
    levels = _levels(frames)
    voiced = _voiced(frames, levels)
    total = _seconds(voiced)
    words = _without_tone(speech, rate)
    place, likeness = _place(_telling(words, rate), _telling(ear, rate))
    offset = round(place * rate / _TELLING_RATE)
    if likeness < _FOUND:
        return Heard(total, 0.0, total, total, None, None)
    shifts = _shifts(speech, ear, offset, voiced, rate)
    starts = offset + np.arange(len(levels)) * frame + shifts
    pieces = np.array([_piece(ear, int(start), frame) for start in starts])
    gain = _gain(levels, _levels(pieces), voiced)
    silence = max(_FLOOR / 4, gain * _loud(levels) * _ratio(_SILENT_DB))
    arrived = voiced & ~_silent(pieces, silence)
    last = int(np.flatnonzero(arrived)[-1]) if arrived.any() else 0
    faint = max(silence, gain * levels[last] * _ratio(_RINGING_DB))
    lost = _without_seams(voiced & ~arrived, last)
    return Heard(
        total_s=total,
        heard_s=_seconds(voiced & ~lost),
        lost_s=_seconds(lost),
        lost_at_end_s=_seconds(lost[last:]),
        offset_s=(offset + padding) / rate,
        last_sample_s=_last_sample(ear, int(starts[last]), frame, faint) / rate,
    )


def _in_frames(sent: _Signal, frame: int) -> tuple[_Signal, int]:
    """Cut after the last voiced sample and pad in front, so that the last frame is fully voiced.

    Returns the signal and the number of padding samples.
    """
    loud = np.flatnonzero(
        np.abs(sent) > max(_FLOOR, np.abs(sent).max(initial=0) * _ratio(_VOICED_DB))
    )
    speech = sent[: loud[-1] + 1] if len(loud) else sent[:0]
    padding = -len(speech) % frame
    return np.concatenate([np.zeros(padding), speech]), padding


def _levels(frames: _Signal) -> _Signal:
    """Root mean square of each frame."""
    levels: _Signal = np.sqrt(np.mean(frames**2, axis=1))
    return levels


def _piece(signal: _Signal, start: int, length: int) -> _Signal:
    """``length`` samples from ``start`` on; silence outside the signal."""
    piece = np.zeros(length)
    first, after = max(start, 0), min(start + length, len(signal))
    if first < after:
        piece[first - start : after - start] = signal[first:after]
    return piece


def _loud(levels: _Signal) -> float:
    """Level of the loud frames (95th percentile); 0 without voice."""
    voice = levels[levels > _FLOOR]
    return float(np.percentile(voice, 95)) if len(voice) else 0.0


def _voiced(frames: _Signal, levels: _Signal) -> NDArray[np.bool_]:
    loud = _loud(levels)
    silent = _silent(frames, loud * _ratio(_SILENT_DB))
    return (levels > max(_FLOOR, loud * _ratio(_VOICED_DB))) & ~silent


def _silent(pieces: _Signal, silence: float) -> NDArray[np.bool_]:
    """Which pieces are silent: more than ``_MOSTLY`` of their tenths have no loud sample."""
    tenths = np.abs(pieces.reshape(len(pieces), 10, pieces.shape[1] // 10)).max(axis=2)
    most: NDArray[np.bool_] = (tenths <= silence).mean(axis=1) > _MOSTLY
    return most


def _gain(levels: _Signal, reached: _Signal, voiced: NDArray[np.bool_]) -> float:
    """Ratio of received to sent loudness: the median of the frames that arrived."""
    ratios = reached[voiced] / levels[voiced]
    through = ratios[ratios > 0.1 * np.percentile(ratios, 95)]
    return float(np.median(through)) if len(through) else 1.0


def _without_seams(lost: NDArray[np.bool_], last: int) -> NDArray[np.bool_]:
    """Ignore gaps shorter than ``SEAM_S`` before the frame ``last``; later losses stay."""
    kept = lost.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lost[:last], [False]]).astype(int)))
    for start, after in edges.reshape(-1, 2).tolist():
        kept[start:after] = (after - start) * FRAME_S >= SEAM_S - FRAME_S / 2
    return kept


def _last_sample(ear: _Signal, start: int, frame: int, faint: float) -> int:
    """Position after the last sample of the last frame that arrived, or shortly after it."""
    voiced = np.flatnonzero(np.abs(_piece(ear, start, 2 * frame)) > faint)
    return int(start + voiced[-1] + 1) if len(voiced) else start


def _without_tone(speech: _Signal, rate: int) -> _Signal:
    """Remove a closing tone: every utterance may have one, so it does not identify this one."""
    tone = closing_tone(rate).astype(np.float64)
    end = speech[-len(tone) :]
    if len(speech) <= len(tone) or _likeness(end, tone) < _SAME or not speech[: -len(tone)].any():
        return speech
    return speech[: -len(tone)]


def _likeness(one: _Signal, other: _Signal) -> float:
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norm if norm else 0.0


def _telling(signal: _Signal, rate: int) -> _Signal:
    """What distinguishes words: no high frequencies, which codecs lose, and less pitch."""
    return np.diff(_resampled(signal, rate, _TELLING_RATE))


def _place(speech: _Signal, ear: _Signal) -> tuple[int, float]:
    """Position of ``speech`` in ``ear``, in samples, and the likeness there (at most 1)."""
    if not speech.any() or not ear.any():
        return 0, 0.0
    products = _products(speech, ear)
    energy = np.cumsum(np.concatenate([[0.0], ear**2]))
    before = np.arange(-len(speech) + 1, len(ear))
    there = (
        energy[np.clip(before + len(speech), 0, len(ear))] - energy[np.clip(before, 0, len(ear))]
    )
    likeness = products / np.sqrt((there + _FAINT * there.max()) * np.sum(speech**2))
    best = int(np.argmax(likeness))
    return best - len(speech) + 1, float(likeness[best])


def _products(one: _Signal, other: _Signal) -> _Signal:
    """Cross-correlation; in the first value, only the last sample of ``one`` overlaps."""
    length = len(one) + len(other) - 1
    size = 1 << (length - 1).bit_length()
    spectrum = np.fft.rfft(other, size) * np.fft.rfft(one[::-1], size)
    products: _Signal = np.fft.irfft(spectrum, size)[:length]
    return products


def _shifts(
    speech: _Signal, ear: _Signal, offset: int, voiced: NDArray[np.bool_], rate: int
) -> NDArray[np.int64]:
    """The shift of each frame, in samples: a jitter buffer stretches and squeezes the audio.

    It is the likeliest course of the shift over the farewell (dynamic programming): each frame
    votes for the shifts where it fits, and a change has a cost, so that a single frame does not
    change it.
    """
    votes = _votes(speech, ear, offset, voiced, rate)
    places = np.arange(votes.shape[1])
    cost = np.minimum(np.abs(places[:, None] - places) * _SHIFT_COST, _MOST_COST)
    best, came_from = votes[0] - cost[len(places) // 2], []
    for vote in votes[1:]:
        options = best[:, None] - cost
        came_from.append(options.argmax(axis=0))
        best = options.max(axis=0) + vote
    way = [int(best.argmax())]
    for origin in reversed(came_from):
        way.append(int(origin[way[-1]]))
    return np.rint((np.array(way[::-1]) - len(places) // 2) * rate / 1000).astype(np.int64)


def _votes(
    speech: _Signal, ear: _Signal, offset: int, voiced: NDArray[np.bool_], rate: int
) -> _Signal:
    """For each frame, the likeness at each shift from -STRETCH_S to +STRETCH_S in steps of 1 ms.

    Computed at 8 kHz, where 1 ms is 8 samples.
    """
    reach = round(STRETCH_S * 1000)
    margin = rate  # keeps the edges of the resampled pieces out of the result
    heard_span = _piece(ear, offset - margin, len(speech) + 2 * margin)
    low_speech, low_ear = _resampled(speech, rate, 8000), _resampled(heard_span, rate, 8000)
    votes = np.zeros((len(voiced), 2 * reach + 1))
    window, slack = round(_WINDOW_S * 8000), reach * 8 + 4
    for number in np.flatnonzero(voiced).tolist():
        start = number * 80 + 40 - window // 2
        piece = _piece(low_speech, start, window)
        around = _piece(low_ear, start + 8000 - slack, window + 2 * slack)
        votes[number] = _fits(piece, around).reshape(-1, 8).max(axis=1)
    return votes


def _fits(piece: _Signal, around: _Signal) -> _Signal:
    """Likeness of ``piece`` to each stretch of its length in ``around``, except the last."""
    count = len(around) - len(piece)
    products = _products(piece, around)[len(piece) - 1 : len(piece) - 1 + count]
    energy = np.cumsum(np.concatenate([[0.0], around**2]))
    there = energy[len(piece) : len(piece) + count] - energy[:count]
    norm = np.sqrt((there + 0.01 * there.max() + 1.0) * (np.sum(piece**2) + 1.0))
    fits: _Signal = products / norm
    return fits


def _ratio(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _seconds(frames: NDArray[np.bool_]) -> float:
    return round(float(frames.sum()) * FRAME_S, 3)
