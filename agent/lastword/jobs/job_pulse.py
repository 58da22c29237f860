"""Heartbeats from job processes, by which the worker detects a stalled event loop.

All jobs of a worker write to one pipe, a few bytes at a time; the system keeps such writes whole. A
job also reports when its call's record is closed, so that a process that fails afterwards does not
count as a lost call.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection

PULSE_SECONDS = 0.5
"""Time between two heartbeats."""
_MESSAGE = struct.Struct("=i?")
_READ = _MESSAGE.size * 4096


class JobPulse:
    """A job's end of the pipe; it can be passed to a new process at its start."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Send heartbeats from the running event loop during the block."""
        loop = asyncio.get_running_loop()
        beats: list[asyncio.TimerHandle] = []

        def beat() -> None:
            self._write(is_closed=False)
            beats[:] = [loop.call_later(PULSE_SECONDS, beat)]

        beat()
        try:
            yield
        finally:
            beats[0].cancel()

    def record_closed(self) -> None:
        """Report that the record of this process's call is closed."""
        self._write(is_closed=True)

    def _write(self, *, is_closed: bool) -> None:
        try:
            os.write(self._pipe.fileno(), _MESSAGE.pack(os.getpid(), is_closed))
        except OSError:  # the worker has exited, or has not read for hours
            return


class PulseReader:
    """The worker's end of the pipe: which jobs are stalled, and which have closed their record.

    Args:
        limit: seconds without a heartbeat after which a job counts as stalled.
        now: returns the monotonic time in seconds.
    """

    def __init__(self, limit: float, now: Callable[[], float]) -> None:
        self._limit = limit
        self._now = now
        self._last: dict[int, float] = {}
        self._closed: set[int] = set()
        self._looked = now()

    def take(self, data: bytes) -> None:
        """Process data that was read from the pipe."""
        for pid, is_closed in _MESSAGE.iter_unpack(data):
            if is_closed:
                self._closed.add(pid)
            self._last[pid] = self._now()

    def has_begun(self, pid: int | None) -> bool:
        """Whether the process has started a call."""
        return pid in self._last

    def has_closed(self, pid: int | None) -> bool:
        """Whether the job of the process has closed its call's record."""
        return pid in self._closed

    def forget(self, pid: int | None) -> None:
        """Forget an exited process; the system may reuse its pid."""
        if pid is not None:
            self._last.pop(pid, None)
            self._closed.discard(pid)

    def standing_still(self) -> Iterator[int]:
        """Yield the pids of stalled jobs; call it about every ``PULSE_SECONDS``.

        Time for which the worker itself was stalled is not counted, because it could not read.
        """
        now = self._now()
        late = now - self._looked - PULSE_SECONDS
        self._looked = now
        if late > PULSE_SECONDS:
            self._last = {pid: last + late for pid, last in self._last.items()}
        for pid, last in self._last.items():
            if pid not in self._closed and now - last > self._limit:
                yield pid


def read_from(pipe: Connection, reader: PulseReader) -> None:
    """Pass all data in the pipe to ``reader``."""
    with suppress(BlockingIOError):
        while True:
            reader.take(os.read(pipe.fileno(), _READ))


def pulse_pipe() -> tuple[Connection, JobPulse]:
    """Create the pipe: the worker's end, and the end that its jobs share."""
    receiving, sending = Pipe(duplex=False)
    os.set_blocking(receiving.fileno(), False)
    os.set_blocking(sending.fileno(), False)
    return receiving, JobPulse(sending)
