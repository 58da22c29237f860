"""The keys that a caller presses: gathered, and told to the graph as one event."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from agent.journal import CallJournal
from graphs.call_signals import CallEvent, Keypad

PAUSE_SECONDS = 1.5
"""After so long without another key, the caller has pressed what they wanted; "#" says so too."""

_log = logging.getLogger("lastword.call")


class KeypadWatch:
    """Gathers one call's keys.

    Args:
        tell: tells the graph.
        is_talking: whether keys still matter; over a farewell they do not.
        journal: gets what the graph was told.
        pressed: is told of every key at once, also of those that are still being gathered.
    """

    def __init__(
        self,
        tell: Callable[[CallEvent], Awaitable[object]],
        is_talking: Callable[[], bool],
        journal: CallJournal,
        pressed: Callable[[], None] = lambda: None,
    ) -> None:
        self._tell = tell
        self._notice = pressed
        self._is_talking = is_talking
        self._journal = journal
        self._pressed: asyncio.Queue[str] = asyncio.Queue()

    def press(self, key: str) -> None:
        """The caller has pressed ``key``, one of ``0-9*#A-D``."""
        self._pressed.put_nowait(key)
        self._notice()

    async def run(self) -> None:
        """Tell the graph of keys, until the task is cancelled."""
        while True:
            keys = await self._gather(await self._pressed.get())
            if not self._is_talking():
                continue
            event = Keypad(kind="keypad", keys=keys)
            self._journal.write("call_event", kind="keypad", **{"lk.pii.keys": keys})
            try:
                await self._tell(event)
            except Exception:  # noqa: BLE001 - the call goes on without them
                _log.exception("the graph could not be told of the keys")

    async def _gather(self, keys: str) -> str:
        while not keys.endswith("#"):
            try:
                async with asyncio.timeout(PAUSE_SECONDS):
                    keys += await self._pressed.get()
            except TimeoutError:
                break
        return keys
