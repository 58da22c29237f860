"""What the caller's ear missed is found, and only that (P1)."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lastword.room.speech_tap import closing_tone
from lastword.testing.stage.ear import at_rate, heard
from tests.fakes.tone_voice import babble

RATE = 48_000
Samples = NDArray[np.int16]
Way = Callable[[Samples], Samples]

EARLIER = np.concatenate([babble("how can I help you today"), closing_tone(RATE)])
PAUSE = np.zeros(RATE // 2, np.int16)
BARE = babble("thank you for calling goodbye")
FAREWELLS = {"with a closing tone": np.concatenate([BARE, closing_tone(RATE)]), "bare": BARE}
BEFORE = len(EARLIER) + len(PAUSE)


def untouched(samples: Samples) -> Samples:
    return samples


def opus(samples: Samples) -> Samples:
    """Code as a call does: Ogg/Opus there and back."""
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="OGG", subtype="OPUS")
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="int16")
    return np.asarray(decoded, np.int16)


def call(farewell: Samples) -> Samples:
    """Half as loud as it was sent, after an earlier utterance with the same closing tone."""
    whole = np.concatenate([EARLIER, PAUSE, farewell, PAUSE])
    return np.asarray(whole * 0.5, np.int16)


def voiced_end(farewell: Samples) -> int:
    loud = np.abs(farewell) > np.abs(farewell).max() * 10 ** (-35 / 20)
    return int(np.flatnonzero(loud)[-1]) + 1


sent_and_coded = [
    pytest.param(farewell, way, id=f"{name}, {way.__name__}")
    for name, farewell in FAREWELLS.items()
    for way in (untouched, opus)
]


@pytest.mark.parametrize(("farewell", "way"), sent_and_coded)
def test_p1_a_farewell_that_arrived_is_heard_whole(farewell: Samples, way: Way) -> None:
    found = heard(farewell, way(call(farewell)))
    assert (found.lost_s, found.lost_at_end_s) == (0, 0)
    assert found.heard_s == found.total_s > 0.9
    assert found.offset_s == pytest.approx(BEFORE / RATE, abs=0.001)
    assert found.last_sample_s == pytest.approx((BEFORE + voiced_end(farewell)) / RATE, abs=0.008)


@pytest.mark.parametrize("cut_ms", [10, 20, 30, 60, 100])
@pytest.mark.parametrize(("farewell", "way"), sent_and_coded)
def test_p1_a_cut_at_the_end_is_found(farewell: Samples, way: Way, cut_ms: int) -> None:
    end = BEFORE + voiced_end(farewell) - cut_ms * RATE // 1000
    found = heard(farewell, way(call(farewell))[:end])
    assert found.lost_at_end_s == pytest.approx(cut_ms / 1000, abs=0.001)
    assert found.lost_s == found.lost_at_end_s
    assert found.last_sample_s == pytest.approx(end / RATE, abs=0.002)


@pytest.mark.parametrize(("farewell", "way"), sent_and_coded)
def test_p1_a_cut_in_the_middle_is_found(farewell: Samples, way: Way) -> None:
    received = way(call(farewell))
    start = BEFORE + round(0.63 * RATE)  # 0.06 s after a pause, within the third word
    received[start : start + RATE // 10] = 0
    found = heard(farewell, received)
    assert found.lost_s == pytest.approx(0.1, abs=0.011)
    assert found.lost_at_end_s == 0


@pytest.mark.parametrize(("gap_ms", "lost_s"), [(20, 0), (40, 0.04)])
def test_a_seam_in_the_middle_is_told_from_a_loss(gap_ms: int, lost_s: float) -> None:
    received = call(BARE)
    start = BEFORE + round(0.65 * RATE)
    received[start : start + gap_ms * RATE // 1000] = 0
    assert heard(BARE, received).lost_s == pytest.approx(lost_s, abs=0.011 if lost_s else 0)


@pytest.mark.parametrize("shift_ms", [-25, -15, 15, 25])
@pytest.mark.parametrize(("farewell", "way"), sent_and_coded)
def test_a_stretch_by_the_jitter_buffer_is_no_loss(
    farewell: Samples, way: Way, shift_ms: int
) -> None:
    received, middle = way(call(farewell)), BEFORE + round(0.7 * RATE)
    moved = abs(shift_ms) * RATE // 1000
    resumed = middle + moved if shift_ms < 0 else middle - moved
    stretched = np.concatenate([received[:middle], received[resumed:]])
    assert heard(farewell, stretched).lost_s == 0


@pytest.mark.parametrize("squeezed_ms", [(80, 170, 190, 250), (60, 120, 200, 300)])
@pytest.mark.parametrize("way", [untouched, opus])
def test_a_short_goodbye_squeezed_in_several_places_is_no_loss(
    way: Way, squeezed_ms: tuple[int, ...]
) -> None:
    farewell = np.concatenate([babble("goodbye anna"), closing_tone(RATE)])
    kept = np.ones(len(farewell), bool)
    for start in squeezed_ms:
        kept[start * RATE // 1000 : (start + 10) * RATE // 1000] = False
    assert heard(farewell, way(call(farewell[kept]))).lost_s == 0


def test_a_squeezed_closing_tone_is_told_from_a_cut_one() -> None:
    farewell = FAREWELLS["with a closing tone"]
    received, middle = call(farewell), BEFORE + len(farewell) - RATE // 5
    squeezed = np.concatenate([received[:middle], received[middle + RATE // 50 :]])
    assert heard(farewell, squeezed).lost_at_end_s == 0


@pytest.mark.parametrize("received", [call(babble("something else was said")), PAUSE, PAUSE[:0]])
def test_a_farewell_that_never_came_is_lost(received: Samples) -> None:
    found = heard(FAREWELLS["with a closing tone"], received)
    assert found.offset_s is None
    assert found.last_sample_s is None
    assert found.lost_s == found.total_s == found.lost_at_end_s > 1


@pytest.mark.parametrize("sent", [PAUSE, PAUSE[:0]])
def test_a_silent_farewell_has_nothing_to_lose(sent: Samples) -> None:
    found = heard(sent, call(BARE))
    assert (found.total_s, found.lost_s, found.offset_s) == (0, 0, None)


@settings(max_examples=25, deadline=None)
@given(st.integers(min_value=0, max_value=len(BARE)), st.floats(min_value=0.05, max_value=1))
def test_what_is_heard_and_lost_makes_up_the_whole(cut: int, loudness: float) -> None:
    received = np.asarray(call(BARE)[: BEFORE + cut] * loudness, np.int16)
    found = heard(BARE, received)
    assert found.heard_s + found.lost_s == pytest.approx(found.total_s, abs=0.0011)
    assert 0 <= found.lost_at_end_s <= found.lost_s <= found.total_s


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000])
def test_a_farewell_made_at_another_rate_is_found_after_resampling(rate: int) -> None:
    made = np.concatenate([babble("thank you for calling goodbye", rate), closing_tone(rate)])
    farewell = at_rate(made, rate, RATE)
    assert len(farewell) == pytest.approx(len(made) * RATE / rate, abs=1)
    assert heard(farewell, opus(call(farewell))).lost_s == 0


def test_the_closing_tone_is_loud_up_to_its_last_sample() -> None:
    tone = closing_tone(RATE)
    assert len(tone) == 0.4 * RATE
    assert np.abs(tone[-RATE // 500 :]).max() > 7500
