"""End the calls of job processes that died or stalled; their lines would stay open for a minute."""

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
"""Why a job's process exited before its call's record was closed: it died, LiveKit killed it (for
its memory use, or because it did not stop), or its event loop stalled and the worker killed it."""

_log = logging.getLogger("lastword.worker")


class WatchfulServer(AgentServer):
    """LiveKit's worker, which also detects job processes that died or stalled.

    Args:
        job_lost: called with the job and the reason; it must end the call in place of the job.
        pulses: the worker's end of ``pulse_pipe``; its jobs have the other end.
        stall_seconds: seconds for which a job's event loop may stall before its process is killed;
            0: no limit.
        options: options of LiveKit's ``AgentServer``.
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
        """Run until the worker is shut down and the calls of its lost jobs are ended."""
        print_safely(logging.getLogger().handlers)
        loop = asyncio.get_running_loop()
        pulses = PulseReader(self._stall_seconds or float("inf"), loop.time)
        async with asyncio.TaskGroup() as tasks:

            def closed(process: JobExecutor) -> None:
                read_from(self._pipe, pulses)  # the job's last messages
                pid, why = _pid(process), self._why(process)
                if process.running_job is not None and is_lost(process, pid):
                    tasks.create_task(self._lost(process.running_job.job, why))
                pulses.forget(pid)
                self._stalled -= {pid}

            def is_lost(process: JobExecutor, pid: int | None) -> bool:
                """Whether the call is lost; also after exit code 0 in the middle of a call."""
                ended_badly = process.status is JobStatus.FAILED
                return not pulses.has_closed(pid) and (ended_badly or pulses.has_begun(pid))

            def watch() -> None:
                # LiveKit has no public event for this; a kill -9 is visible nowhere else.
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
        """Kill stalled processes; their ``process_closed`` event then ends their calls."""
        while True:
            await asyncio.sleep(PULSE_SECONDS)
            for pid in list(pulses.standing_still()):
                if pid in self._stalled or pid not in map(_pid, self._proc_pool.processes):
                    continue
                _log.error("a job has stalled for %g s; its process is killed", self._stall_seconds)
                self._stalled.add(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _why(self, process: JobExecutor) -> LostReason:
        pid = _pid(process)
        if pid in self._stalled:
            return "job_stalled"
        ended_by_livekit = isinstance(process, ProcJobExecutor) and (
            process.killed or process.exitcode == -signal.SIGUSR1  # LiveKit sends it before SIGKILL
        )
        return "job_killed" if ended_by_livekit else "job_lost"

    async def _lost(self, job: Job, why: LostReason) -> None:
        try:
            await self._job_lost(job, why)
        except Exception:  # noqa: BLE001 - the other calls of this worker continue
            _log.exception("a lost call could not be ended", extra={"room": job.room.name})


def _pid(process: JobExecutor) -> int | None:
    return process.pid if isinstance(process, ProcJobExecutor) else None
