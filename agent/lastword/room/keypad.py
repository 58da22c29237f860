"""The caller's key presses: checked, collected, and sent to the graph as one event.

A client with the caller's token can send any number of keys, and any text instead of a key. Each
event causes a run of the graph. Therefore invalid keys are dropped, and the rate and the number of
keys are limited.
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
"""The keys of a telephone (RFC 4733, section 3.2)."""
_AS_PRESSED = {key.lower(): key for key in "ABCD"}
"""LiveKit's SIP service sends these four in lower case (media-sdk, ``dtmf.go``)."""
PAUSE_SECONDS = 1.5
"""The key sequence ends after this time without another key, or with "#"."""
BURST = 32
"""Keys that may arrive at once: a card number, its expiry date and its code from a dialler."""
KEYS_PER_SECOND = 4.0
"""Rate of keys after that: about as fast as a person types."""
MOST_KEYS = 1000
"""Most keys in one call."""

_log = logging.getLogger("lastword.call")


class KeyAllowance:
    """Rate limit for keys: a token bucket of size ``BURST``, and ``MOST_KEYS`` per call. Pure code.

    Args:
        now: start of the call, in seconds.
    """

    def __init__(self, now: float) -> None:
        self._left = float(BURST)
        self._of_the_call = MOST_KEYS
        self._at = now

    def take(self, now: float) -> bool:
        """Whether a key pressed at ``now`` (in seconds) is accepted; an accepted key is counted."""
        self._left = min(BURST, self._left + (now - self._at) * KEYS_PER_SECOND)
        self._at = now
        if self._left < 1 or not self._of_the_call:
            return False
        self._left -= 1
        self._of_the_call -= 1
        return True


class KeypadWatch:
    """Collects the keys of one call. Create it in a running event loop.

    Args:
        tell: sends an event to the graph.
        is_talking: whether keys still have an effect; during a farewell they have none.
        events: receives an event for each key sequence that the graph gets.
        pressed: called at once for every accepted key, before the key sequence is complete.
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
        """Take a key that the caller has pressed; drop an invalid key, or one over the limit."""
        key = _AS_PRESSED.get(key, key)
        if key not in KEYS:
            self._drop("not one of 0-9, *, # and A-D")
        elif not self._allowance.take(self._clock.time()) or self._pressed.full():
            self._drop("too many keys")
        else:
            self._pressed.put_nowait(key)
            self._notice()

    def _drop(self, what: str) -> None:
        """Log the first at once and the total number at the call's end, to keep the log short."""
        self._dropped[what] += 1
        if self._dropped[what] == 1:
            _log.warning("a key of the caller was dropped: %s", what)

    async def run(self) -> None:
        """Send key sequences to the graph, until the task is cancelled."""
        try:
            while True:
                await self._send(await self._gather(await self._pressed.get()))
        finally:
            for what, number in self._dropped.items():
                _log.warning("%d keys dropped in this call: %s", number, what)

    async def _send(self, keys: str) -> None:
        if not self._is_talking():
            return
        event = Keypad(kind="keypad", keys=keys)
        told = GraphTold(event="graph_told", **self._events.moment(), kind="keypad", told=event)
        self._events.emit(told)
        try:
            await self._tell(event)
        except Exception:  # noqa: BLE001 - the call continues without the keys
            _log.exception("the keys could not be sent to the graph")

    async def _gather(self, keys: str) -> str:
        while not keys.endswith("#") and len(keys) < BURST:
            try:
                async with timeout_at(self._clock, self._clock.time() + PAUSE_SECONDS):
                    keys += await self._pressed.get()
            except TimeoutError:
                break
        return keys
