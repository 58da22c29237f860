"""A call's clock that a test sets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

SETTLE_TURNS = 50
"""Turns of the event loop in which code that was woken has done what it does without waiting for
anything outside of the loop."""


class VirtualClock:
    """Implements ``lastword.clock.Clock``; time passes only when a test says so. Starts at 0.

    Code that waits for something else than this clock (a thread, a file, a graph's model) must be
    awaited by the test; the clock waits for the event loop alone.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._order = count()
        self._timers: list[tuple[float, int, _VirtualTimer]] = []

    def time(self) -> float:
        """Return the time in seconds."""
        return self._now

    def call_at(self, when: float, callback: Callable[[], object], /) -> _VirtualTimer:
        """Call ``callback`` once, when a test has moved the clock to the time ``when``."""
        timer = _VirtualTimer(callback)
        heappush(self._timers, (when, next(self._order), timer))
        return timer

    @property
    def next_at(self) -> float | None:
        """When the next timer is due, in seconds; None: there is no timer."""
        while self._timers and self._timers[0][2].callback is None:
            heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    async def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass; see ``advance_to``."""
        await self.advance_to(self._now + seconds)

    async def advance_to(self, when: float) -> None:
        """Let time pass until ``when``; each timer is called at its own time, in order.

        The event loop settles before the first timer and after each one.
        """
        await settle()
        while (due := self.next_at) is not None and due <= when:
            self._now = max(self._now, due)
            self._fire()
            await settle()
        self._now = max(self._now, when)

    async def leap_to(self, when: float) -> None:
        """Set the clock to ``when``; timers due before are called at ``when``, in order.

        To a call it is as if the process had been stopped meanwhile.
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
        """Do not call the callback."""
        self.callback = None


async def settle() -> None:
    """Let the tasks of the event loop run until they wait for something outside of it."""
    for _ in range(SETTLE_TURNS):
        await asyncio.sleep(0)
