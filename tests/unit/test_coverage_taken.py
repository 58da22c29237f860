"""What was taken, on its way from one process to another."""

from __future__ import annotations

from collections import Counter

import pytest

from lastword.testing.coverage import Taken


def test_what_was_taken_travels_as_json() -> None:
    taken = Taken(Counter(a=2), Counter({("a", "b"): 1}), Counter({("node", "done"): 3}))
    assert Taken.from_json(taken.to_json()) == taken


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"nodes": {}, "edges": [1], "endings": []}', '{"nodes": 3}']
)
def test_json_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the counts of a graph"):
        Taken.from_json(text)


def test_what_was_taken_elsewhere_is_added() -> None:
    taken = Taken(Counter(a=1), Counter({("a", "b"): 1}))
    taken.add_ending("node", "done")
    taken.add_ending("node", "done")
    other = Taken(Counter(a=1, b=1), Counter({("a", "b"): 2}))
    other.add_ending("node", "done")
    other.add_ending("event", "done")
    taken.merge(other)
    assert taken == Taken(
        Counter(a=2, b=1),
        Counter({("a", "b"): 3}),
        Counter({("node", "done"): 3, ("event", "done"): 1}),
    )
