"""A line is taken down once, and seen to be down (P7)."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from livekit import api

from lastword.hangup.hang_up import ATTEMPTS, MAX_SECONDS, hang_up, keep_gone
from tests.fakes.line import FakeLine, FaultyLine

REFUSED = aiohttp.ClientConnectionError("refused")
BROKEN = api.TwirpError("internal", "broken", status=500)


async def no_wait(_: float) -> None:
    return


async def test_p7_a_line_is_removed_once() -> None:
    line = FakeLine()
    assert await hang_up([line], wait=no_wait)
    assert line.removals == 1


@pytest.mark.parametrize("failure", [REFUSED, BROKEN, TimeoutError()])
async def test_p7_a_failing_server_is_asked_again(failure: Exception) -> None:
    line = FakeLine([failure, failure])
    assert await hang_up([line], wait=no_wait)
    assert (line.tries, line.removals) == (3, 1)


async def test_p7_a_room_that_is_still_listed_is_removed_again() -> None:
    line = FakeLine(gone_after=2)
    assert await hang_up([line], wait=no_wait)
    assert line.removals == 2


async def test_p7_the_tries_are_bounded_and_the_failure_is_told() -> None:
    line = FakeLine([REFUSED] * 100)
    assert not await hang_up([line], wait=no_wait)
    assert line.tries == ATTEMPTS


@pytest.mark.parametrize(
    "failure",
    [RuntimeError("Session is closed"), api.TwirpError("permission_denied", "no", status=403)],
)
async def test_p7_what_will_not_pass_is_not_tried_again(failure: Exception) -> None:
    line = FakeLine([failure] * 100)
    assert await hang_up([line], wait=no_wait) is None
    assert line.tries == 1


async def test_p7_a_room_that_cannot_be_deleted_leaves_its_caller_to_be_removed() -> None:
    room, caller = FakeLine([BROKEN] * 100), FakeLine(name="caller")
    assert await hang_up([room, caller], wait=no_wait) == "caller"
    assert (room.tries, caller.removals) == (ATTEMPTS, 1)


async def test_p7_nobody_else_is_removed_when_the_room_is_gone() -> None:
    room, caller = FakeLine(), FakeLine(name="caller")
    assert await hang_up([room, caller], wait=no_wait) == "room"
    assert caller.tries == 0


@pytest.mark.looptime
async def test_p7_a_server_that_never_answers_is_given_up_in_time() -> None:
    line = FaultyLine(["hangs"] * 100)
    began = asyncio.get_running_loop().time()
    assert await hang_up([line]) is None
    assert asyncio.get_running_loop().time() - began <= MAX_SECONDS


async def test_p7_a_room_that_comes_back_is_removed_again() -> None:
    line = FaultyLine()
    assert await hang_up([line], wait=no_wait) == "room"
    assert not await keep_gone(line, wait=no_wait)
    assert line.taken_down == 1
    line.is_up = True
    assert await keep_gone(line, wait=no_wait)
    assert (line.is_up, line.taken_down) == (False, 2)


async def test_p7_a_server_that_cannot_be_asked_again_spoils_nothing() -> None:
    assert not await keep_gone(UnknownLine(), wait=no_wait)


class UnknownLine(FaultyLine):
    """A line of which the server says nothing."""

    async def is_gone(self) -> bool:
        raise REFUSED
