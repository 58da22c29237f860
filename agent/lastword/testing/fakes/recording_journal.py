"""A call's journal that can be read while the call goes on."""

from __future__ import annotations

import asyncio
from typing import Any

from lastword.events import CallJournal


class KeptJournal(CallJournal):
    """A journal that keeps its entries and lets one wait for one."""

    def __init__(self) -> None:
        super().__init__("call-under-test")
        self.entries: list[tuple[str, dict[str, Any]]] = []
        self.times: list[float] = []
        self._waiting: set[asyncio.Future[None]] = set()

    def write(self, event: str, **fields: Any) -> None:
        """Write an entry, and keep it."""
        super().write(event, **fields)
        self.entries.append((event, fields))
        self.times.append(asyncio.get_running_loop().time())
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    @property
    def events(self) -> list[str]:
        """What has been written, without the fields."""
        return [event for event, _ in self.entries]

    def last(self, event: str) -> int | None:
        """Number of the last entry of that kind, from 0; its time is in ``times``."""
        return max((at for at, name in enumerate(self.events) if name == event), default=None)

    async def until(self, event: str, *, times: int = 1) -> dict[str, Any]:
        """Wait until ``event`` has been written so often; returns its last fields."""
        while self.events.count(event) < times:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            try:
                await waiting
            finally:
                self._waiting.discard(waiting)
        return next(fields for name, fields in reversed(self.entries) if name == event)
