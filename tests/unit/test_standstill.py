"""What goes wrong in a real room is had again only if the machine stood still meanwhile."""

from __future__ import annotations

import random

import pytest

from tests.fakes.standstill import TRIES, on_a_steady_machine, steady

NUMBERS = [random.random() for _ in range(1_000_000)]  # noqa: S311 - no secret


def stand_still() -> None:
    """Sorting lets no other thread of the process run, for some tenths of a second."""
    sorted(NUMBERS)


async def test_what_goes_wrong_on_a_steady_machine_has_gone_wrong() -> None:
    tries = []

    @steady
    async def wrong() -> None:
        tries.append(1)
        raise AssertionError("wrong")

    async def call() -> int:
        tries.append(1)
        return 7

    with pytest.raises(AssertionError, match="wrong"):
        await wrong()
    assert len(tries) == 1
    assert await on_a_steady_machine(call, lambda _made: False) == 7
    assert len(tries) == 2


async def test_what_goes_wrong_while_the_machine_stands_still_is_had_again() -> None:
    tries = []

    @steady
    async def wrong_at_first() -> None:
        tries.append(1)
        stand_still()
        assert len(tries) > 1

    await wrong_at_first()
    assert len(tries) == 2


async def test_what_goes_wrong_every_time_is_seen() -> None:
    tries = []

    async def call() -> int:
        tries.append(1)
        stand_still()
        return len(tries)

    assert await on_a_steady_machine(call, lambda _made: False) == TRIES
