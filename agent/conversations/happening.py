"""What a turn of a transcript is for a call: words, an event, a limit (pure)."""

from __future__ import annotations

from agent.errors import ConversationError
from agent.hangup import limits
from agent.transcripts.transcript import Keypad, LimitNear, Silence, TimeUp, Voicemail
from graphs import call_signals
from graphs.call_signals import CallEvent, CallPolicy


def happening(
    turn: Silence | LimitNear | TimeUp | Voicemail | Keypad, policy: CallPolicy, reminders: int
) -> CallEvent | limits.TimeUp:
    """What the worker makes of it.

    Args:
        turn: what the transcript says.
        policy: the call's limits.
        reminders: how often the graph has been told of silence since the caller's last words.

    Raises:
        ConversationError: the policy has no such limit.
    """
    match turn:
        case Silence(silence=seconds):
            return _silence(seconds, policy, reminders)
        case LimitNear(limit_near=seconds) if policy.max_duration is not None:
            return call_signals.LimitNear(kind="limit_near", seconds_left=seconds)
        case TimeUp() if policy.max_duration is not None:
            return limits.TimeUp("max_duration", policy.limit_farewell)
        case LimitNear(line=line) | TimeUp(line=line):
            raise ConversationError(f"line {line}: calls of this graph may last for ever")
        case Voicemail(voicemail=words):
            return call_signals.Voicemail(kind="voicemail", words=words)
        case Keypad(keypad=keys):
            return call_signals.Keypad(kind="keypad", keys=keys)


def _silence(
    seconds: float, policy: CallPolicy, reminders: int
) -> call_signals.Silence | limits.TimeUp:
    if policy.silence_timeout is None:
        raise ConversationError("calls of this graph have no limit to silence")
    if reminders >= policy.silence_reminders:
        return limits.TimeUp("silence", policy.silence_farewell, for_silence=True)
    return call_signals.Silence(
        kind="silence", count=reminders + 1, of=policy.silence_reminders, seconds=seconds
    )
