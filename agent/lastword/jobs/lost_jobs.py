"""Hang up for job processes that died or stand still: nobody else would for as long as a minute."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Literal

from livekit.agents import AgentServer
from livekit.agents.ipc.job_executor import JobExecutor, JobStatus
from livekit.agents.ipc.job_proc_executor import ProcJobExecutor
from livekit.protocol.agent import Job

from lastword.jobs.job_pulse import PULSE_SECONDS, PulseReader, read_from
from lastword.terminal import print_safely

LostReason = Literal["job_lost", "job_killed", "job_stalled"]
"""Why a job's process is gone before its call's record was closed: it died, LiveKit ended it (for
its memory, or because it did not stop), or its event loop stood still and the worker ended it."""

_log = logging.getLogger("lastword.worker")


class WatchfulServer(AgentServer):
    """LiveKit's worker, which also notices when the process of a job has died or stands still.

    Args:
        job_lost: told the job and why it is lost; it is to end the call in the job's place.
        pulses: the worker's end of ``pulse_pipe``, whose other end its jobs have.
        stall_seconds: for which a job's event loop may stand still before its process is ended; 0:
            for ever.
        options: LiveKit's own.
    """

    def __init__(
        self,
        *,
        job_lost: Callable[[Job, LostReason], Awaitable[None]],
        pulses: Connection,
        stall_seconds: float,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._job_lost = job_lost
        self._stall_seconds = stall_seconds
        self._pipe = pulses
        self._stalled: set[int | None] = set()

    async def run(self, *, devmode: bool = False, unregistered: bool = False) -> None:
        """Run until the worker is shut down, and what its lost jobs left behind is done."""
        print_safely(logging.getLogger().handlers)
        loop = asyncio.get_running_loop()
        pulses = PulseReader(self._stall_seconds or float("inf"), loop.time)
        async with asyncio.TaskGroup() as tasks:

            def closed(process: JobExecutor) -> None:
                read_from(self._pipe, pulses)  # what the job has said before it went
                pid, why = _pid(process), self._why(process)
                if process.running_job is not None and is_lost(process, pid):
                    tasks.create_task(self._lost(process.running_job.job, why))
                pulses.forget(pid)
                self._stalled -= {pid}

            def is_lost(process: JobExecutor, pid: int | None) -> bool:
                """Also one that ended in mid-call with an exit code that says all is well."""
                ended_badly = process.status is JobStatus.FAILED
                return not pulses.has_closed(pid) and (ended_badly or pulses.has_begun(pid))

            def watch() -> None:
                # LiveKit has no public event for it; a kill -9 is seen nowhere else.
                self._proc_pool.on("process_closed", closed)

            self.once("worker_started", watch)
            loop.add_reader(self._pipe.fileno(), read_from, self._pipe, pulses)
            watching = tasks.create_task(self._end_stalled(pulses))
            try:
                await super().run(devmode=devmode, unregistered=unregistered)
            finally:
                watching.cancel()
                loop.remove_reader(self._pipe.fileno())

    async def _end_stalled(self, pulses: PulseReader) -> None:
        """End the processes that stand still; that they are closed is what hangs their lines up."""
        while True:
            await asyncio.sleep(PULSE_SECONDS)
            for pid in list(pulses.standing_still()):
                if pid in self._stalled or pid not in map(_pid, self._proc_pool.processes):
                    continue
                _log.error(
                    "a job has stood still for %g s, its process is ended", self._stall_seconds
                )
                self._stalled.add(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _why(self, process: JobExecutor) -> LostReason:
        pid = _pid(process)
        if pid in self._stalled:
            return "job_stalled"
        ended_by_livekit = isinstance(process, ProcJobExecutor) and (
            process.killed or process.exitcode == -signal.SIGUSR1  # what it sends before SIGKILL
        )
        return "job_killed" if ended_by_livekit else "job_lost"

    async def _lost(self, job: Job, why: LostReason) -> None:
        try:
            await self._job_lost(job, why)
        except Exception:  # noqa: BLE001 - the other calls of this worker go on
            _log.exception("a lost call could not be ended", extra={"room": job.room.name})


def _pid(process: JobExecutor) -> int | None:
    return process.pid if isinstance(process, ProcJobExecutor) else None
