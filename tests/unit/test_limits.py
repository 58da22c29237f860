"""When a limit asks for something (P11)."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastword.hangup.limits import CallTimes, Due, TimeUp, due, next_look
from lastword.signals import CallPolicy

POLICY = CallPolicy()
QUIET = CallTimes(
    now=0, joined=0, quiet_since=0, sounding=False, has_spoken=True, reminders=0, warned=False
)
SILENT = TimeUp("silence", POLICY.silence_farewell, for_silence=True)
NOBODY = TimeUp("no_first_words", POLICY.silence_farewell, for_silence=True)
TOO_LONG = TimeUp("max_duration", POLICY.limit_farewell)


def reminder(count: int, seconds: float) -> Due:
    return {"kind": "silence", "count": count, "of": 2, "seconds": seconds}


@pytest.mark.parametrize(
    ("so", "what"),
    [
        (replace(QUIET, now=9.9), None),
        (replace(QUIET, now=10), reminder(1, 10)),
        (replace(QUIET, now=50, quiet_since=38), reminder(1, 12)),
        (replace(QUIET, now=10, reminders=1), reminder(2, 10)),
        (replace(QUIET, now=10, reminders=2), SILENT),
        (replace(QUIET, now=1000, quiet_since=None), None),
        (replace(QUIET, now=19.9, sounding=True), None),
        (replace(QUIET, now=20, sounding=True), reminder(1, 20)),
        (replace(QUIET, now=44, has_spoken=False, quiet_since=None), None),
        (replace(QUIET, now=45, has_spoken=False, quiet_since=None), NOBODY),
        (replace(QUIET, now=49, has_spoken=False, quiet_since=None, sounding=True), None),
        (replace(QUIET, now=45.4, has_spoken=False, quiet_since=None, sound_ended=44), None),
        (replace(QUIET, now=45.5, has_spoken=False, quiet_since=None, sound_ended=44), NOBODY),
        (replace(QUIET, now=10.9, sound_ended=9.5), None),
        (replace(QUIET, now=11, sound_ended=9.5), reminder(1, 11)),
        (replace(QUIET, now=20, sound_ended=19.9), reminder(1, 20)),
        (replace(QUIET, now=3585, quiet_since=None, answering=True), None),
        (replace(QUIET, now=3585, quiet_since=None, again=True), None),
        (replace(QUIET, now=3570, quiet_since=3569), {"kind": "limit_near", "seconds_left": 30}),
        (replace(QUIET, now=3570, quiet_since=3569, warned=True), None),
        (replace(QUIET, now=3584, quiet_since=None), None),
        (replace(QUIET, now=3584, quiet_since=3583, sounding=True), None),
        (replace(QUIET, now=3585, quiet_since=None), {"kind": "limit_near", "seconds_left": 15}),
        (replace(QUIET, now=3600, quiet_since=None, warned=True), TOO_LONG),
    ],
)
def test_p11_what_is_due(so: CallTimes, what: Due | None) -> None:
    assert due(POLICY, so) == what


def test_p11_every_limit_can_be_switched_off() -> None:
    policy = CallPolicy(silence_timeout=None, first_words_timeout=None, max_duration=None)
    forever = replace(QUIET, now=1e9, has_spoken=False)
    assert due(policy, forever) is None
    assert next_look(policy, forever) == inf


def test_p11_without_reminders_the_first_silence_ends_the_call() -> None:
    assert due(CallPolicy(silence_reminders=0), replace(QUIET, now=10)) == SILENT


times = st.floats(0, 4000)
calls = st.builds(
    CallTimes,
    now=times,
    joined=st.just(0),
    quiet_since=st.none() | times,
    sounding=st.booleans(),
    has_spoken=st.booleans(),
    reminders=st.integers(0, 3),
    warned=st.booleans(),
    answering=st.booleans(),
    again=st.booleans(),
    sound_ended=st.just(-inf) | times,
)


@given(calls)
def test_p11_nothing_is_due_before_the_time_foretold_and_something_is_then(so: CallTimes) -> None:
    look = next_look(POLICY, so)
    assert (due(POLICY, so) is not None) == (so.now >= look)
    assert look == inf or due(POLICY, replace(so, now=look)) is not None
