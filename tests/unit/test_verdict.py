"""A rehearsed call is judged by the turn that ended it."""

from __future__ import annotations

from typing import Any

import pytest

from lastword.testing.stage.verdict import farewell_was_spoken


@pytest.mark.parametrize(
    ("events", "spoken"),
    [
        (["spoken", "heard", "ending", "spoken", "farewell_played"], True),
        (["spoken", "heard", "ending", "farewell_played"], False),
        (["ending", "spoken", "ending_cancelled", "spoken", "ending", "farewell_played"], False),
        (["spoken", "hanging_up"], True),
        (["hanging_up"], False),
    ],
)
def test_the_farewell_is_what_was_said_with_the_ending(events: list[str], spoken: bool) -> None:
    entries: list[dict[str, Any]] = [{"event": event} for event in events]
    assert farewell_was_spoken(entries) is spoken
