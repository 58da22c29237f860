"""A line is taken down once, and seen to be down (P7)."""

from __future__ import annotations

import aiohttp
import pytest
from livekit import api

from agent.hangup.hang_up import ATTEMPTS, hang_up
from tests.fakes.line import FakeLine

REFUSED = aiohttp.ClientConnectionError("refused")
BROKEN = api.TwirpError("internal", "broken", status=500)


async def no_wait(_: float) -> None:
    return


async def test_p7_a_line_is_removed_once() -> None:
    line = FakeLine()
    assert await hang_up(line, wait=no_wait)
    assert line.removals == 1


@pytest.mark.parametrize("failure", [REFUSED, BROKEN, TimeoutError()])
async def test_p7_a_failing_server_is_asked_again(failure: Exception) -> None:
    line = FakeLine([failure, failure])
    assert await hang_up(line, wait=no_wait)
    assert (line.tries, line.removals) == (3, 1)


async def test_p7_a_room_that_is_still_listed_is_removed_again() -> None:
    line = FakeLine(gone_after=2)
    assert await hang_up(line, wait=no_wait)
    assert line.removals == 2


async def test_p7_the_tries_are_bounded_and_the_failure_is_told() -> None:
    line = FakeLine([REFUSED] * 100)
    assert not await hang_up(line, wait=no_wait)
    assert line.tries == ATTEMPTS


async def test_p7_whatever_fails_the_answer_is_that_the_line_may_be_up() -> None:
    line = FakeLine([RuntimeError("Session is closed")] * 100)
    assert not await hang_up(line, wait=no_wait)
    assert line.tries == ATTEMPTS
