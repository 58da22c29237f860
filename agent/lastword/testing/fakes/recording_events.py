"""Records a call's events, so that a test can read them and wait for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from lastword.events import Event, EventStream, log_event


class RecordingEvents(EventStream):
    """An event stream that records its events; it also logs them, as a worker does.

    Args:
        call: the call's id.
        clock: returns monotonic seconds.

    Attributes:
        recorded: the events so far, in order.
        times: when each event was emitted, in seconds on the event loop's clock.
    """

    def __init__(
        self, call: str = "call-under-test", clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(call, clock)
        self.recorded: list[Event] = []
        self.times: list[float] = []
        self._waiters: set[asyncio.Future[None]] = set()
        self.subscribe(log_event)
        self.subscribe(self._record)

    def _record(self, event: Event) -> None:
        self.recorded.append(event)
        self.times.append(asyncio.get_running_loop().time())
        for waiting in self._waiters:
            if not waiting.done():
                waiting.set_result(None)

    @property
    def names(self) -> list[str]:
        """The names of the events so far."""
        return [event["event"] for event in self.recorded]

    def named(self, name: str) -> list[Mapping[str, Any]]:
        """Return the events named ``name`` so far."""
        return [cast("Mapping[str, Any]", one) for one in self.recorded if one["event"] == name]

    def last(self, name: str) -> int | None:
        """Return the index in ``recorded`` of the last event named ``name``, or None."""
        return max((at for at, one in enumerate(self.names) if one == name), default=None)

    async def until(self, name: str, *, times: int = 1) -> Mapping[str, Any]:
        """Wait until ``name`` has been emitted ``times`` times; returns the last such event."""
        while len(self.named(name)) < times:
            waiting = asyncio.get_running_loop().create_future()
            self._waiters.add(waiting)
            try:
                await waiting
            finally:
                self._waiters.discard(waiting)
        return self.named(name)[-1]
