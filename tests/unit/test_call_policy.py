"""A policy that cannot be meant is refused when it is made; the sentence names what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from lastword.signals import CallPolicy


async def is_closer(words: str, language: str) -> bool:
    return True


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"hang_up": "everyone"}, "hang_up must be one of room, caller, agent, not 'everyone'"),
        ({"farewell_interruption": "yes"}, "farewell_interruption must be one of new_request, any"),
        ({"first_speaker": "graph"}, "first_speaker must be one of agent, caller"),
        ({"tail": 11}, "tail must be 0 to 10 seconds, not 11"),
        ({"silence_timeout": 0}, "silence_timeout must be above 0 seconds, not 0"),
        ({"max_duration": float("inf")}, "max_duration must be above 0 seconds, not inf"),
        ({"max_duration": float("nan")}, "max_duration must be above 0 seconds, not nan"),
        ({"farewell_max_wait": -1}, "farewell_max_wait must be above 0 seconds, not -1"),
        ({"farewell_max_wait": None}, "farewell_max_wait must be above 0 seconds, not None"),
        ({"limit_warning": None}, "limit_warning must be above 0 seconds, not None"),
        ({"turn_timeout": None}, "turn_timeout must be above 0 seconds, not None"),
        ({"is_closer": is_closer}, "is_closer must be a plain function, not `async def`"),
        ({"silence_reminders": None}, "silence_reminders must be 0 or more, not None"),
        ({"tail": None}, "tail must be 0 to 10 seconds, not None"),
        ({"silence_reminders": -1}, "silence_reminders must be 0 or more, not -1"),
    ],
)
def test_an_impossible_value_is_named(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=rf"CallPolicy\.{sentence}"):
        CallPolicy(**values)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"turn_timeout": 50}, ("turn_timeout (50 s)", "first_words_timeout (45 s)")),
        ({"max_duration": 20}, ("turn_timeout (30 s)", "max_duration (20 s)")),
        ({"silence_timeout": 45}, ("silence_timeout (45 s)", "first_words_timeout (45 s)")),
        (
            {"silence_timeout": 60, "first_words_timeout": None, "max_duration": 50},
            ("silence_timeout (60 s)", "max_duration (50 s)"),
        ),
        ({"limit_warning": 3600}, ("limit_warning (3600 s)", "max_duration (3600 s)")),
        (
            {"silent_nodes": frozenset({"a", "b"}), "spoken_nodes": frozenset({"b"})},
            ("silent_nodes", "spoken_nodes", "both name b"),
        ),
    ],
)
def test_two_values_that_contradict_each_other_are_both_named(
    values: dict[str, Any], names: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the names are the match
        CallPolicy(**values)
    assert all(name in str(refused.value) for name in names)
