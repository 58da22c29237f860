"""The clock of a call: it times limits, farewells, tails and key presses.

Timeouts of a graph's turn, of network requests and of a caller who comes and goes use the event
loop's own clock instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import inf
from typing import Protocol


class Timer(Protocol):
    """A scheduled callback of a clock."""

    def cancel(self) -> object:
        """Cancel the callback; no effect after the clock has called it."""


class Clock(Protocol):
    """Monotonic time in seconds, and scheduled callbacks. An asyncio event loop is a clock."""

    def time(self) -> float:
        """Return the monotonic time in seconds."""

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        """Call ``callback`` once at or after ``when``, in the event loop's thread."""


@asynccontextmanager
async def timeout_at(clock: Clock, when: float) -> AsyncIterator[None]:
    """Cancel the block at the time ``when`` of ``clock``; infinity: no limit.

    Raises:
        TimeoutError: the block was cancelled.
    """
    if when == inf:
        yield
        return
    async with asyncio.timeout(None) as timeout:
        timer = clock.call_at(when, lambda: timeout.reschedule(0))  # a time in the past: at once
        try:
            yield
        finally:
            timer.cancel()
