"""A machine that stands still for a moment tears the sound of a real call; here it is noticed."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

STANDSTILL = 0.1
"""Seconds for which a thread that wants to run does not: longer than a jitter buffer holds out."""
TRIES = 3
_BEAT = 0.005

Made = TypeVar("Made")
Given = ParamSpec("Given")


class Machine:
    """Notes when this machine last stood still."""

    def __init__(self) -> None:
        self.stood_still_at = float("-inf")
        """Monotonic seconds."""
        self._over = threading.Event()

    def watch(self) -> None:
        """Look until ``close``."""
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
    """Watch the machine meanwhile."""
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
    """What ``call`` gives; one that is not good is made again if the machine stood still in it.

    Three times at most, so that what goes wrong every time is seen.
    """
    with watched_machine() as machine:
        for _ in range(TRIES):
            began = time.monotonic()
            made = await call()
            if is_good(made) or machine.stood_still_at < began:
                break
    return made


def steady(test: Callable[Given, Awaitable[None]]) -> Callable[Given, Awaitable[None]]:
    """A test that is had again when it went wrong while the machine stood still; see above."""

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
