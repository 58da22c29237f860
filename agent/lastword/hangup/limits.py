"""Decides what is due at a call's limits; pure code, without a clock.

The limits come from ``CallPolicy``; all times are in seconds on one monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from lastword.hangup.phases import VOICE_GRACE, VOICE_MAX
from lastword.signals import CallPolicy, LimitNear, Silence


@dataclass(frozen=True)
class TimeUp:
    """A limit that ends the call: the reason for the record, and the farewell.

    ``for_silence``: the caller has said nothing, so words over the farewell keep the call.
    """

    reason: str
    farewell: str
    for_silence: bool = False


Due = Silence | LimitNear | TimeUp


@dataclass(frozen=True)
class CallTimes:
    """The state of a call on which its limits depend; times in seconds on one clock.

    ``joined``: when the caller joined. ``quiet_since``: since when neither side has said a word
    (None: the agent is speaking or starting, or the graph waits for an operator). ``sounding``: the
    caller is making a sound. ``has_spoken``: the caller or the agent has spoken. ``reminders``: how
    often the graph was told of this silence. ``warned``: the graph was told that the end is near;
    ``again``: the caller has spoken over its answer. ``answering``: an answer is being generated
    and is not yet played. ``sound_ended``: when the caller's last sound ended; its words may still
    be recognised.
    """

    now: float
    joined: float
    quiet_since: float | None
    sounding: bool
    has_spoken: bool
    reminders: int
    warned: bool
    answering: bool = False
    again: bool = False
    sound_ended: float = -inf


def due(policy: CallPolicy, times: CallTimes) -> Due | None:
    """Return the most urgent thing that is due now; None if nothing is due."""
    if times.now >= _ends_at(policy, times):
        return TimeUp("max_duration", policy.limit_farewell)
    if times.now >= _first_words_by(policy, times):
        return TimeUp("no_first_words", policy.silence_farewell, for_silence=True)
    if times.now >= _warning_at(policy, times):
        left = _ends_at(policy, times) - times.now
        return LimitNear(kind="limit_near", seconds_left=round(left, 1))
    if times.now >= _silence_at(policy, times):
        if times.reminders >= policy.silence_reminders:
            return TimeUp("silence", policy.silence_farewell, for_silence=True)
        return Silence(
            kind="silence",
            count=times.reminders + 1,
            of=policy.silence_reminders,
            seconds=round(times.now - (times.quiet_since or times.joined), 1),
        )
    return None


def next_look(policy: CallPolicy, times: CallTimes) -> float:
    """Return when something will be due if nothing changes; infinity if never."""
    return min(
        _ends_at(policy, times),
        _first_words_by(policy, times),
        _warning_at(policy, times),
        _silence_at(policy, times),
    )


def _ends_at(policy: CallPolicy, times: CallTimes) -> float:
    return inf if policy.max_duration is None else times.joined + policy.max_duration


def _first_words_by(policy: CallPolicy, times: CallTimes) -> float:
    if policy.first_words_timeout is None or times.has_spoken:
        return inf
    limit = times.joined + policy.first_words_timeout
    if times.sounding:
        return limit + VOICE_MAX
    return min(limit + VOICE_MAX, max(limit, times.sound_ended + VOICE_GRACE))


def _warning_at(policy: CallPolicy, times: CallTimes) -> float:
    """The first quiet moment in the warning time; at the latest, the start of its second half."""
    if times.warned or policy.max_duration is None:
        return inf
    if times.answering:
        return inf  # a second run would start from the state before this answer
    latest = inf if times.again else _ends_at(policy, times) - policy.limit_warning / 2
    if times.quiet_since is None or times.sounding:
        return latest
    return min(latest, max(_ends_at(policy, times) - policy.limit_warning, times.quiet_since))


def _silence_at(policy: CallPolicy, times: CallTimes) -> float:
    """The end of the silence timeout; a sound without words can at most double the timeout."""
    if policy.silence_timeout is None or times.quiet_since is None:
        return inf
    latest = times.quiet_since + 2 * policy.silence_timeout
    if times.sounding:
        return latest
    silent = times.quiet_since + policy.silence_timeout
    return min(latest, max(silent, times.sound_ended + VOICE_GRACE))
