"""Detect stalls of this machine, since a stall tears the audio of a real call."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

STANDSTILL = 0.1
"""Seconds without CPU time for a runnable thread; longer than a jitter buffer can cover."""
TRIES = 3
_BEAT = 0.005

Made = TypeVar("Made")
Given = ParamSpec("Given")


class Machine:
    """Records when this machine last stalled."""

    def __init__(self) -> None:
        self.stood_still_at = float("-inf")
        """End of the last stall, on ``time.monotonic()``."""
        self._over = threading.Event()

    def watch(self) -> None:
        """Watch for stalls until ``close``."""
        last = time.monotonic()
        while not self._over.wait(_BEAT):
            now = time.monotonic()
            if now - last > STANDSTILL:
                self.stood_still_at = now
            last = now

    def close(self) -> None:
        self._over.set()


@contextmanager
def watched_machine() -> Iterator[Machine]:
    """Watch the machine during the block."""
    machine = Machine()
    thread = threading.Thread(target=machine.watch, daemon=True)
    thread.start()
    try:
        yield machine
    finally:
        machine.close()
        thread.join()


async def on_a_steady_machine(
    call: Callable[[], Awaitable[Made]], is_good: Callable[[Made], bool]
) -> Made:
    """Return the result of ``call``; repeat a bad one if the machine stalled during the call.

    At most ``TRIES`` calls, so that a failure that is not caused by stalls still shows.
    """
    with watched_machine() as machine:
        for _ in range(TRIES):
            began = time.monotonic()
            made = await call()
            if is_good(made) or machine.stood_still_at < began:
                break
    return made


def steady(test: Callable[Given, Awaitable[None]]) -> Callable[Given, Awaitable[None]]:
    """Rerun a failed test if the machine stalled during it, under the rule above."""

    @wraps(test)
    async def had(*args: Given.args, **named: Given.kwargs) -> None:
        async def fault() -> AssertionError | None:
            try:
                await test(*args, **named)
            except AssertionError as error:
                return error
            return None

        found = await on_a_steady_machine(fault, lambda error: error is None)
        if found is not None:
            raise found

    return had
