"""A rehearsed call is judged by the turn that ended it."""

from __future__ import annotations

import pytest

from lastword.testing.stage.verdict import farewell_was_spoken
from tests.fakes.an_event import an_event


@pytest.mark.parametrize(
    ("names", "spoken"),
    [
        ("agent_said caller_said ending agent_said farewell_played", True),
        ("agent_said caller_said ending farewell_played", False),
        ("ending agent_said ending_cancelled agent_said ending farewell_played", False),
        ("agent_said hanging_up", True),
        ("hanging_up", False),
    ],
)
def test_the_farewell_is_what_was_said_with_the_ending(names: str, spoken: bool) -> None:
    assert farewell_was_spoken([an_event(name) for name in names.split()]) is spoken
