"""What a turn of a transcript is for a call: words, an event, a limit (pure)."""

from __future__ import annotations

from lastword import signals
from lastword.errors import ConversationError
from lastword.hangup import limits
from lastword.signals import CallEvent, CallPolicy
from lastword.testing.transcripts.transcript import (
    CallerSays,
    Keypad,
    LimitNear,
    Silence,
    TimeUp,
    Trigger,
    Voicemail,
)


def silences_after(turn: Trigger, silences: int) -> int:
    """How many silences there were, with this turn, since the caller was last there."""
    match turn:
        case Silence():
            return silences + 1
        case CallerSays() | Keypad():
            return 0
        case _:
            return silences


def happening(
    turn: Silence | LimitNear | TimeUp | Voicemail | Keypad, policy: CallPolicy, silences: int
) -> CallEvent | limits.TimeUp:
    """What the worker makes of it.

    Args:
        turn: what the transcript says.
        policy: the call's limits.
        silences: what ``silences_after`` this turn says.

    Raises:
        ConversationError: the policy has no such limit.
    """
    match turn:
        case Silence(silence=seconds):
            return _silence(seconds, policy, silences)
        case LimitNear(limit_near=seconds) if policy.max_duration is not None:
            return signals.LimitNear(kind="limit_near", seconds_left=seconds)
        case TimeUp() if policy.max_duration is not None:
            return limits.TimeUp("max_duration", policy.limit_farewell)
        case LimitNear(line=line) | TimeUp(line=line):
            raise ConversationError(f"line {line}: calls of this graph may last for ever")
        case Voicemail(voicemail=words):
            return signals.Voicemail(kind="voicemail", words=words)
        case Keypad(keypad=keys):
            return signals.Keypad(kind="keypad", keys=keys)


def _silence(seconds: float, policy: CallPolicy, silences: int) -> signals.Silence | limits.TimeUp:
    if policy.silence_timeout is None:
        raise ConversationError("calls of this graph have no limit to silence")
    if silences > policy.silence_reminders:
        return limits.TimeUp("silence", policy.silence_farewell, for_silence=True)
    return signals.Silence(
        kind="silence", count=silences, of=policy.silence_reminders, seconds=seconds
    )
