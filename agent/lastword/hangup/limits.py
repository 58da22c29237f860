"""Decides what is due at a call's limits; pure code, without a clock.

The policy's numbers are those of ``CallPolicy``; all times are in seconds on one monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from lastword.hangup.phases import VOICE_GRACE, VOICE_MAX
from lastword.signals import CallPolicy, LimitNear, Silence


@dataclass(frozen=True)
class TimeUp:
    """The worker ends the call: the record's reason, and what the caller hears before that.

    ``for_silence``: because the caller said nothing, so that words over the farewell keep the call.
    """

    reason: str
    farewell: str
    for_silence: bool = False


Due = Silence | LimitNear | TimeUp


@dataclass(frozen=True)
class CallTimes:
    """The state of a call as far as its limits depend on it; times in seconds on one clock.

    ``joined``: when the caller joined. ``quiet_since``: since when nobody has said a word (None:
    the agent speaks or thinks, or an operator is asked). ``sounding``: the caller makes a sound in
    which no word was recognised so far. ``has_spoken``: somebody has said a word. ``reminders``:
    how often the graph was told of this silence. ``warned``: the graph was told that the end is
    near; ``again``: the caller has spoken over its answer. ``answering``: an answer is being made
    and not yet heard. ``sound_ended``: when the caller's last sound ended; words may follow.
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
    """Return what is due now; of several the most urgent. None: nothing."""
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
    """Return when something is due if nothing else happens; infinity: never."""
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
    """The first quiet moment in the warning time; in its second half, at once."""
    if times.warned or policy.max_duration is None:
        return inf
    if times.answering:
        return inf  # another run beside it would go on from before its answer
    latest = inf if times.again else _ends_at(policy, times) - policy.limit_warning / 2
    if times.quiet_since is None or times.sounding:
        return latest
    return min(latest, max(_ends_at(policy, times) - policy.limit_warning, times.quiet_since))


def _silence_at(policy: CallPolicy, times: CallTimes) -> float:
    """A sound without words doubles the timeout at most: silence means that no words come."""
    if policy.silence_timeout is None or times.quiet_since is None:
        return inf
    latest = times.quiet_since + 2 * policy.silence_timeout
    if times.sounding:
        return latest
    silent = times.quiet_since + policy.silence_timeout
    return min(latest, max(silent, times.sound_ended + VOICE_GRACE))
