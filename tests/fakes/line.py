"""Lines that fail on request."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Literal

import aiohttp
from livekit import api


class FakeLine:
    """Implements ``lastword.hangup.hang_up.Line``; counts removals.

    Args:
        failures: raised by the first calls of ``remove``, one each.
        gone_after: number of removals until the server stops listing the room.
        name: what is removed.
    """

    def __init__(
        self, failures: Iterable[Exception] = (), *, gone_after: int = 1, name: str = "room"
    ) -> None:
        self._failures = list(failures)
        self._gone_after = gone_after
        self.name = name
        self.removals = 0
        self.tries = 0

    async def remove(self) -> None:
        self.tries += 1
        if self._failures:
            raise self._failures.pop(0)
        self.removals += 1

    async def is_gone(self) -> bool:
        return self.removals >= self._gone_after


Fault = Literal["works", "refused", "broken", "hangs", "answer_lost", "forbidden", "closed"]
"""What a server does with a removal; with ``answer_lost`` the line is gone anyway."""


class FaultyLine:
    """A line whose server has one scripted fault for each removal; later removals work.

    ``taken_down`` counts how often the line went from up to gone.
    """

    name = "room"

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = deque(faults)
        self.is_up = True
        self.taken_down = 0
        self.tries = 0

    async def remove(self) -> None:
        self.tries += 1
        fault = self._faults.popleft() if self._faults else "works"
        match fault:
            case "refused":
                raise aiohttp.ClientConnectionError(fault)
            case "broken":
                raise api.TwirpError("internal", fault, status=500)
            case "forbidden":
                raise api.TwirpError("permission_denied", fault, status=403)
            case "closed":
                raise RuntimeError("Session is closed")
            case "hangs":
                await asyncio.Event().wait()
            case "answer_lost":
                self._take_down()
                raise aiohttp.ServerDisconnectedError
            case _:
                self._take_down()

    def _take_down(self) -> None:
        self.taken_down += self.is_up
        self.is_up = False

    async def is_gone(self) -> bool:
        return not self.is_up
