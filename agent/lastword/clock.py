"""The clock of a call: limits, farewells, tails and key presses are timed by it.

Time-outs of network requests are not: they run on the event loop's own clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import inf
from typing import Protocol


class Timer(Protocol):
    """A callback that a clock will call."""

    def cancel(self) -> object:
        """Do not call it; no effect after it was called."""


class Clock(Protocol):
    """Monotonic seconds, and callbacks at a time. An asyncio event loop is a clock."""

    def time(self) -> float:
        """Return the time in seconds."""

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        """Call ``callback`` once, in the event loop's thread, at the time ``when`` or after it."""


@asynccontextmanager
async def timeout_at(clock: Clock, when: float) -> AsyncIterator[None]:
    """Bound the block by the time ``when`` of ``clock``; infinity: no bound.

    Raises:
        TimeoutError: the time came first; the block was cancelled.
    """
    if when == inf:
        yield
        return
    async with asyncio.timeout(None) as timeout:
        timer = clock.call_at(when, lambda: timeout.reschedule(0))  # the past: at once
        try:
            yield
        finally:
            timer.cancel()
