"""How far the clock of a call moves for a turn in which time passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lastword.errors import ConversationError
from lastword.room.keypad import PAUSE_SECONDS
from lastword.signals import CallPolicy
from lastword.testing.levels.journal_reading import Entry
from lastword.testing.levels.session_call import SessionCall
from lastword.testing.transcripts.transcript import Keypad, LimitNear, Silence, TimeUp
from lastword.testing.virtual_clock import settle

Timed = Silence | LimitNear | TimeUp | Keypad


async def pass_time(turn: Timed, on: SessionCall) -> None:
    """Move the clock until the call acts: it tells the graph of something, or ends.

    Raises:
        ConversationError: the call does something else in that time than the turn says.
    """
    already = len(on.journal.entries)

    def acts() -> Sequence[Entry]:
        return acts_in(on.journal.entries[already:])

    match turn:
        case Silence():
            await _until(acts, on, on.clock.time() + silence_seconds(turn, on.policy))
        case Keypad(keypad=keys):
            for key in keys:
                on.call.keypad.press(key)
            await _until(acts, on, on.clock.time() + PAUSE_SECONDS)
        case LimitNear(limit_near=seconds):
            await on.clock.leap_to(_duration(on.policy) - seconds)
        case TimeUp():
            await on.clock.leap_to(_duration(on.policy))
    if not any(_is_meant(turn, act) for act in acts()):
        raise ConversationError(_why_not(turn, on.policy))


def acts_in(entries: Sequence[Entry]) -> Sequence[Entry]:
    """What a call did by itself: told the graph of something, or began to end."""
    return [entry for entry in entries if entry[0] in ("call_event", "ending")]


def silence_seconds(turn: Silence, policy: CallPolicy) -> float:
    """How long nobody says anything; without a number in the turn: until the worker acts."""
    has_number = "silence" in turn.model_fields_set
    return turn.silence if has_number else policy.silence_timeout or turn.silence


async def _until(acts: Callable[[], Sequence[Entry]], on: SessionCall, end: float) -> None:
    await settle()
    while not acts():
        due = on.clock.next_at
        if due is None or due > end:
            await on.clock.advance_to(end)
            return
        await on.clock.advance_to(due)


def _duration(policy: CallPolicy) -> float:
    if policy.max_duration is None:
        raise ConversationError("calls of this graph may last for ever")
    return policy.max_duration


def _is_meant(turn: Timed, act: Entry) -> bool:
    name, fields = act
    match turn:
        case Silence():
            return fields.get("kind") == "silence" or _is_limit(act, "silence", "no_first_words")
        case Keypad():
            return fields.get("kind") == "keypad"
        case LimitNear(limit_near=seconds):
            is_near = name == "call_event" and fields.get("kind") == "limit_near"
            return is_near and fields["seconds_left"] == round(seconds, 1)
        case TimeUp():
            return _is_limit(act, "max_duration")


def _is_limit(act: Entry, *reasons: str) -> bool:
    name, fields = act
    return name == "ending" and fields.get("source") == "limit" and fields["reason"] in reasons


def _why_not(turn: Timed, policy: CallPolicy) -> str:
    match turn:
        case Silence():
            seconds = silence_seconds(turn, policy)
            return (
                f"nothing happens in {seconds:g} seconds of silence; "
                f"the policy's silence_timeout is {policy.silence_timeout}"
            )
        case Keypad(keypad=keys):
            return f"the graph is not told of the keys {keys!r}"
        case LimitNear(limit_near=seconds):
            return (
                f"the graph is not told that {seconds:g} seconds are left: it is told once, "
                f"and the policy's limit_warning is {policy.limit_warning:g}"
            )
        case TimeUp():
            return "the call does not end when its time is up"
