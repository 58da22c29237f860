"""A line that can be told to fail."""

from __future__ import annotations

from collections.abc import Iterable


class FakeLine:
    """Implements ``agent.hangup.hang_up.Line``; counts removals.

    Args:
        failures: raised by the first calls of ``remove``, one each.
        gone_after: how many removals the server needs before it stops listing the room.
    """

    def __init__(self, failures: Iterable[Exception] = (), *, gone_after: int = 1) -> None:
        self._failures = list(failures)
        self._gone_after = gone_after
        self.removals = 0
        self.tries = 0

    async def remove(self) -> None:
        self.tries += 1
        if self._failures:
            raise self._failures.pop(0)
        self.removals += 1

    async def is_gone(self) -> bool:
        return self.removals >= self._gone_after
