"""A sign of life from each job process, by which its worker sees an event loop that stands still.

All jobs of a worker write into one pipe: a few bytes at a time, which the system keeps whole. A
job also says there when its call's record is closed, so that a process that breaks afterwards is
not taken for a lost call.
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
"""Between two signs of life."""
_MESSAGE = struct.Struct("=i?")
_READ = _MESSAGE.size * 4096


class JobPulse:
    """A job's end of the pipe; it can be sent to a process that is being started."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Give signs of life meanwhile, from the running event loop."""
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
        """Say that this process's call has its record, whatever becomes of the process."""
        self._write(is_closed=True)

    def _write(self, *, is_closed: bool) -> None:
        try:
            os.write(self._pipe.fileno(), _MESSAGE.pack(os.getpid(), is_closed))
        except OSError:  # the worker is gone, or has not read for hours
            return


class PulseReader:
    """The worker's end: which jobs stand still, and which have closed their record.

    Args:
        limit: seconds without a sign of life after which a job stands still.
        now: monotonic seconds.
    """

    def __init__(self, limit: float, now: Callable[[], float]) -> None:
        self._limit = limit
        self._now = now
        self._last: dict[int, float] = {}
        self._closed: set[int] = set()
        self._looked = now()

    def take(self, data: bytes) -> None:
        """Take what has come through the pipe."""
        for pid, is_closed in _MESSAGE.iter_unpack(data):
            if is_closed:
                self._closed.add(pid)
            self._last[pid] = self._now()

    def has_begun(self, pid: int | None) -> bool:
        """Whether the process has had a call."""
        return pid in self._last

    def has_closed(self, pid: int | None) -> bool:
        """Whether the job of that process has closed its call's record."""
        return pid in self._closed

    def forget(self, pid: int | None) -> None:
        """The process is gone; its number may be another's later."""
        if pid is not None:
            self._last.pop(pid, None)
            self._closed.discard(pid)

    def standing_still(self) -> Iterator[int]:
        """Give the processes whose calls stand still; ask about every ``PULSE_SECONDS``.

        Time for which this process itself stood still is nobody's fault: it could not read.
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
    """Let ``reader`` take all that is in the pipe."""
    with suppress(BlockingIOError):
        while True:
            reader.take(os.read(pipe.fileno(), _READ))


def pulse_pipe() -> tuple[Connection, JobPulse]:
    """Make the pipe: the worker's end, and the one that its jobs share."""
    receiving, sending = Pipe(duplex=False)
    os.set_blocking(receiving.fileno(), False)
    os.set_blocking(sending.fileno(), False)
    return receiving, JobPulse(sending)
