"""A clock for a call; the test moves its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

SETTLE_TURNS = 50
"""Iterations of the event loop; enough for woken code to run until it waits for something outside
of the loop."""


class VirtualClock:
    """Implements ``lastword.clock.Clock``; only the test moves its time, which starts at 0.

    The clock waits for the event loop only. The test must itself await code that waits for anything
    else (a thread, a file, a graph's model).
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._order = count()
        self._timers: list[tuple[float, int, _VirtualTimer]] = []

    def time(self) -> float:
        """Return the time in seconds."""
        return self._now

    def call_at(self, when: float, callback: Callable[[], object], /) -> _VirtualTimer:
        """Call ``callback`` once, when the test moves the clock to ``when`` or later."""
        timer = _VirtualTimer(callback)
        heappush(self._timers, (when, next(self._order), timer))
        return timer

    @property
    def next_at(self) -> float | None:
        """The time of the next timer in seconds; None: there is no timer."""
        while self._timers and self._timers[0][2].callback is None:
            heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    async def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass; see ``advance_to``."""
        await self.advance_to(self._now + seconds)

    async def advance_to(self, when: float) -> None:
        """Let time pass until ``when``; each timer is called at the time it is due, in order.

        The event loop settles before the first timer and after each one.
        """
        await settle()
        while (due := self.next_at) is not None and due <= when:
            self._now = max(self._now, due)
            self._fire()
            await settle()
        self._now = max(self._now, when)

    async def leap_to(self, when: float) -> None:
        """Set the clock to ``when``; timers due until then are called at ``when``, in order.

        For a call this looks as if the process had been suspended.
        """
        await settle()
        self._now = max(self._now, when)
        await self.advance_to(self._now)

    def _fire(self) -> None:
        _, _, timer = heappop(self._timers)
        callback, timer.callback = timer.callback, None
        if callback is not None:
            callback()


class _VirtualTimer:
    """Implements ``lastword.clock.Timer``."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Cancel the timer: its callback is not called."""
        self.callback = None


async def settle() -> None:
    """Let the tasks of the event loop run until they wait for something outside of the loop."""
    for _ in range(SETTLE_TURNS):
        await asyncio.sleep(0)
