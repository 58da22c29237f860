"""docs/events.md has the fields of the types."""

from __future__ import annotations

from typing import get_type_hints

import pytest

from benchmarks.document import read_part
from lastword.events import EVENTS, PERSONAL
from tools.events_page import PAGE, event_types, tables


@pytest.mark.parametrize("name", ["moment", "events"])
def test_the_page_is_made_from_the_types(name: str) -> None:
    assert read_part(PAGE, name) == tables()[name], "run python -m tools.events_page --write"


def shown(name: str) -> dict[str, bool]:
    """The fields of an event on the page, and whether they are said to be personal."""
    rows = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for part in ("moment", "events")
        for line in read_part(PAGE, part).splitlines()[2:]
    ]
    common = {row[0]: bool(row[2]) for row in rows if len(row) == 4}
    if "call" not in get_type_hints(EVENTS[name]):
        del common["call"]
    own: dict[str, bool] = {}
    current = ""
    for event, field, _, personal, _ in (row for row in rows if len(row) == 5):
        current = event or current
        if field and current == name:
            own[field] = bool(personal)
    return {**common, **own}


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_the_page_has_every_field_and_marks_the_personal_ones(name: str) -> None:
    hints = get_type_hints(EVENTS[name], include_extras=True)
    del hints["event"]
    assert shown(name) == {
        field: PERSONAL in getattr(hint, "__metadata__", ()) for field, hint in hints.items()
    }


def test_every_event_and_every_field_has_a_meaning() -> None:
    for event in event_types().values():
        assert event.meaning
        assert all(field.meaning for field in event.own)
