"""The keys that a caller presses: checked, gathered, and told to the graph as one event.

Whoever holds the caller's ticket can send as many keys as the network carries, and any text in
place of a key; each event is a run of the graph. So what is no key is dropped, and their rate and
number are bounded.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from lastword.clock import Clock, timeout_at
from lastword.events import EventStream, GraphTold
from lastword.signals import CallEvent, Keypad

KEYS = frozenset("0123456789*#ABCD")
"""A telephone's (RFC 4733, section 3.2)."""
_AS_PRESSED = {key.lower(): key for key in "ABCD"}
"""LiveKit's SIP service writes these four in lower case (media-sdk, ``dtmf.go``)."""
PAUSE_SECONDS = 1.5
"""After so long without another key, the caller has pressed what they wanted; "#" says so too."""
BURST = 32
"""Keys that may come at once: a card number, its date and its code, sent by a dialler."""
KEYS_PER_SECOND = 4.0
"""Keys that may come from then on: about what a thumb presses."""
MOST_KEYS = 1000
"""Keys of one call."""

_log = logging.getLogger("lastword.call")


class KeyAllowance:
    """How many keys may still be pressed: a bucket of ``BURST`` that fills with time. Pure.

    Args:
        now: the time, in seconds, at which the call begins.
    """

    def __init__(self, now: float) -> None:
        self._left = float(BURST)
        self._of_the_call = MOST_KEYS
        self._at = now

    def take(self, now: float) -> bool:
        """Whether a key that is pressed at ``now`` is within the allowance."""
        self._left = min(BURST, self._left + (now - self._at) * KEYS_PER_SECOND)
        self._at = now
        if self._left < 1 or not self._of_the_call:
            return False
        self._left -= 1
        self._of_the_call -= 1
        return True


class KeypadWatch:
    """Gathers one call's keys. Must be made in a running event loop.

    Args:
        tell: tells the graph.
        is_talking: whether keys still matter; over a farewell they do not.
        events: gets what the graph was told.
        pressed: is told of every key at once, also of those that are still being gathered.
        clock: times the pause after the last key; default: the event loop.
    """

    def __init__(
        self,
        tell: Callable[[CallEvent], Awaitable[object]],
        is_talking: Callable[[], bool],
        events: EventStream,
        pressed: Callable[[], None] = lambda: None,
        clock: Clock | None = None,
    ) -> None:
        self._tell = tell
        self._notice = pressed
        self._is_talking = is_talking
        self._events = events
        self._clock = clock or asyncio.get_running_loop()
        self._allowance = KeyAllowance(self._clock.time())
        self._pressed: asyncio.Queue[str] = asyncio.Queue(BURST)
        self._dropped: Counter[str] = Counter()

    def press(self, key: str) -> None:
        """Take a key that the caller has pressed; what is no key, or one too many, is dropped."""
        key = _AS_PRESSED.get(key, key)
        if key not in KEYS:
            self._drop("what is not one of 0-9, *, # and A-D")
        elif not self._allowance.take(self._clock.time()) or self._pressed.full():
            self._drop("more keys than a telephone sends")
        else:
            self._pressed.put_nowait(key)
            self._notice()

    def _drop(self, what: str) -> None:
        """The first is logged at once, the number of all at the call's end: no flood of lines."""
        self._dropped[what] += 1
        if self._dropped[what] == 1:
            _log.warning("the caller has pressed %s, which is dropped", what)

    async def run(self) -> None:
        """Tell the graph of keys, until the task is cancelled."""
        try:
            while True:
                await self._tell_of(await self._gather(await self._pressed.get()))
        finally:
            for what, number in self._dropped.items():
                _log.warning("%d times in this call: %s", number, what)

    async def _tell_of(self, keys: str) -> None:
        if not self._is_talking():
            return
        event = Keypad(kind="keypad", keys=keys)
        told = GraphTold(event="graph_told", **self._events.moment(), kind="keypad", told=event)
        self._events.emit(told)
        try:
            await self._tell(event)
        except Exception:  # noqa: BLE001 - the call goes on without them
            _log.exception("the graph could not be told of the keys")

    async def _gather(self, keys: str) -> str:
        while not keys.endswith("#") and len(keys) < BURST:
            try:
                async with timeout_at(self._clock, self._clock.time() + PAUSE_SECONDS):
                    keys += await self._pressed.get()
            except TimeoutError:
                break
        return keys
