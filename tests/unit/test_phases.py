"""The table of a call's end: what moves it on, and what does not (P1, P3, P7)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastword.hangup.phases import (
    TABLE,
    VOICE_GRACE,
    VOICE_MAX,
    Facts,
    FarewellLimits,
    Phase,
    next_row,
    wake_at,
)

LIMITS = FarewellLimits(tail=0.5, farewell_max_wait=60)
PLAYED = Facts(now=100, since=100, farewell=True, played_at=100)
times = st.floats(0, 200)
facts = st.builds(
    Facts,
    now=times,
    since=times,
    cut_short=st.booleans(),
    farewell=st.booleans(),
    played_at=st.none() | times,
    wants_more=st.booleans(),
    voice=st.none() | times,
    unheard=st.none() | times,
    line=st.sampled_from(["up", "gone", "stuck"]),
)


def moves(phase: Phase, so: Facts) -> Phase:
    row = next_row(phase, so, LIMITS)
    return phase if row is None else row.to


@pytest.mark.parametrize(
    ("phase", "so", "to"),
    [
        (Phase.TALKING, Facts(0, 0), Phase.TALKING),
        (Phase.TALKING, Facts(0, 0, farewell=True), Phase.ENDING),
        (Phase.TALKING, Facts(0, 0, farewell=True, cut_short=True), Phase.HANGING_UP),
        (Phase.ENDING, Facts(59, 0, farewell=True), Phase.ENDING),
        (Phase.ENDING, Facts(60, 0, farewell=True), Phase.HANGING_UP),
        (Phase.ENDING, PLAYED, Phase.DRAINING),
        (Phase.ENDING, replace(PLAYED, wants_more=True), Phase.TALKING),
        (Phase.ENDING, replace(PLAYED, wants_more=True, cut_short=True), Phase.HANGING_UP),
        (Phase.DRAINING, replace(PLAYED, now=100.4), Phase.DRAINING),
        (Phase.DRAINING, replace(PLAYED, now=100.5), Phase.HANGING_UP),
        (Phase.DRAINING, replace(PLAYED, now=100.4, wants_more=True), Phase.TALKING),
        (Phase.DRAINING, replace(PLAYED, now=100.1, cut_short=True), Phase.HANGING_UP),
        (Phase.HANGING_UP, replace(PLAYED, wants_more=True), Phase.HANGING_UP),
        (Phase.HANGING_UP, replace(PLAYED, line="gone"), Phase.GONE),
        (Phase.HANGING_UP, replace(PLAYED, line="stuck"), Phase.GIVEN_UP),
    ],
)
def test_what_moves_a_call_on(phase: Phase, so: Facts, to: Phase) -> None:
    assert moves(phase, so) == to


@pytest.mark.parametrize(
    ("so", "holds"),
    [
        (replace(PLAYED, voice=99.0), VOICE_MAX),
        (replace(PLAYED, voice=100.3), VOICE_MAX),
        (replace(PLAYED, unheard=100.3), 0.3 + VOICE_GRACE),
        (replace(PLAYED, unheard=98.9), 0.5),
        (replace(PLAYED, unheard=109.9), VOICE_MAX),
    ],
)
def test_p3_a_sound_in_the_tail_holds_the_hang_up_until_its_words_are_due(
    so: Facts, holds: float
) -> None:
    assert moves(Phase.DRAINING, replace(so, now=100 + holds - 0.01)) == Phase.DRAINING
    assert moves(Phase.DRAINING, replace(so, now=100 + holds + 0.01)) == Phase.HANGING_UP


@given(st.sampled_from(Phase), facts)
def test_p7_nothing_brings_a_call_back_whose_line_is_being_taken_down(
    phase: Phase, so: Facts
) -> None:
    if phase in (Phase.HANGING_UP, Phase.GONE, Phase.GIVEN_UP):
        assert moves(phase, so) in (Phase.HANGING_UP, Phase.GONE, Phase.GIVEN_UP)


@given(st.sampled_from(Phase), facts)
def test_p7_whoever_ends_a_call_at_once_ends_it_in_any_phase(phase: Phase, so: Facts) -> None:
    if phase in (Phase.TALKING, Phase.ENDING, Phase.DRAINING):
        assert moves(phase, replace(so, cut_short=True)) == Phase.HANGING_UP


@given(st.sampled_from(Phase), facts)
def test_time_moves_a_call_on_exactly_when_it_was_foretold(phase: Phase, so: Facts) -> None:
    wake = wake_at(phase, so, LIMITS)
    if next_row(phase, so, LIMITS) is None and wake is not None:
        assert wake > so.now
        assert next_row(phase, replace(so, now=wake), LIMITS) is not None
        assert next_row(phase, replace(so, now=(so.now + wake) / 2), LIMITS) is None
    if next_row(phase, so, LIMITS) is None and wake is None:
        assert next_row(phase, replace(so, now=1e9), LIMITS) is None


def test_the_table_leaves_no_phase_without_a_way_out() -> None:
    last = {Phase.GONE, Phase.GIVEN_UP}
    assert {row.phase for row in TABLE} == set(Phase) - last
    assert {row.to for row in TABLE} == set(Phase)
