"""Moves the clock of a call for turns in which time passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeGuard

from lastword.errors import ConversationError
from lastword.events import Event, GraphTold
from lastword.room.keypad import PAUSE_SECONDS
from lastword.signals import CallPolicy
from lastword.testing.levels.session_call import SessionCall
from lastword.testing.transcripts.transcript import Keypad, LimitNear, Silence, TimeUp
from lastword.testing.virtual_clock import settle

Timed = Silence | LimitNear | TimeUp | Keypad


async def pass_time(turn: Timed, on: SessionCall) -> None:
    """Move the clock until the call acts: it gives the graph a call event, or begins to end.

    Raises:
        ConversationError: the call does not do what the turn says in that time.
    """
    already = len(on.events.recorded)

    def acts() -> Sequence[Event]:
        return acts_in(on.events.recorded[already:])

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


def acts_in(events: Sequence[Event]) -> Sequence[Event]:
    """Return what a call did by itself: it gave the graph a call event, or began to end."""
    return [event for event in events if event["event"] in ("graph_told", "ending")]


def silence_seconds(turn: Silence, policy: CallPolicy) -> float:
    """The seconds of silence; a turn without a number uses the policy's ``silence_timeout``."""
    has_number = "silence" in turn.model_fields_set
    return turn.silence if has_number else policy.silence_timeout or turn.silence


async def _until(acts: Callable[[], Sequence[Event]], on: SessionCall, end: float) -> None:
    await settle()
    while not acts():
        due = on.clock.next_at
        if due is None or due > end:
            await on.clock.advance_to(end)
            return
        await on.clock.advance_to(due)


def _duration(policy: CallPolicy) -> float:
    if policy.max_duration is None:
        raise ConversationError(
            "the graph's CallPolicy has no max_duration: remove this turn, or set max_duration"
        )
    return policy.max_duration


def _is_meant(turn: Timed, act: Event) -> bool:
    match turn:
        case Silence():
            return _is_told(act, "silence") or _is_limit(act, "silence", "no_first_words")
        case Keypad():
            return _is_told(act, "keypad")
        case LimitNear(limit_near=seconds):
            left = act["told"]["seconds_left"] if _is_told(act, "limit_near") else None
            return left == round(seconds, 1)
        case TimeUp():
            return _is_limit(act, "max_duration")


def _is_told(act: Event, kind: str) -> TypeGuard[GraphTold]:
    return act["event"] == "graph_told" and act["kind"] == kind


def _is_limit(act: Event, *reasons: str) -> bool:
    return act["event"] == "ending" and act["source"] == "limit" and act["reason"] in reasons


def _why_not(turn: Timed, policy: CallPolicy) -> str:
    match turn:
        case Silence():
            seconds = silence_seconds(turn, policy)
            return (
                f"nothing happens in {seconds:g} seconds of silence; "
                f"the policy's silence_timeout is {policy.silence_timeout}"
            )
        case Keypad(keypad=keys):
            return f"the graph gets no event for the keys {keys!r}"
        case LimitNear(limit_near=seconds):
            return (
                f"the graph gets no event with {seconds:g} seconds left: it gets one only, "
                f"and the policy's limit_warning is {policy.limit_warning:g}"
            )
        case TimeUp():
            return "the call does not end when its time is up"
