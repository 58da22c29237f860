"""What a graph still does after its end node: nobody who listens waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator

from lastword.bridge.thread import Part

_log = logging.getLogger("lastword.bridge")


class LateWork:
    """Lets a graph run on in the background when all that it has to say is said.

    A run that begins waits for it, and whoever closes the graph's memory must have waited for
    ``done``.
    """

    def __init__(self) -> None:
        self._working: set[asyncio.Task[None]] = set()

    def take_over(self, parts: AsyncGenerator[Part], seconds: float) -> None:
        """Follow the rest of a run's stream, for so many seconds at most."""
        # The task's owner is this object: ``done`` waits for it, and its end is certain.
        working = asyncio.get_running_loop().create_task(self._work(parts, seconds))
        self._working.add(working)
        working.add_done_callback(self._working.discard)

    async def done(self) -> None:
        """Wait until nothing is left to do."""
        while self._working:
            await asyncio.wait(self._working)

    async def _work(self, parts: AsyncGenerator[Part], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                async for _ in parts:
                    pass
        except Exception:  # noqa: BLE001 - the goodbye is said, whatever fails now
            _log.exception("the graph failed after its end node")
        finally:
            await parts.aclose()
