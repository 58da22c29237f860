"""Hang up for job processes that died: nobody else would, for as long as the server waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from livekit.agents import AgentServer
from livekit.agents.ipc.job_executor import JobExecutor, JobStatus
from livekit.protocol.agent import Job

_log = logging.getLogger("lastword.worker")


class WatchfulServer(AgentServer):
    """LiveKit's worker, which also notices when the process of a job has died.

    Args:
        job_lost: told the job; it is to end the call in the job's place.
        options: LiveKit's own.
    """

    def __init__(self, *, job_lost: Callable[[Job], Awaitable[None]], **options: Any) -> None:
        super().__init__(**options)
        self._job_lost = job_lost

    async def run(self, *, devmode: bool = False, unregistered: bool = False) -> None:
        """Run until the worker is shut down, and what its lost jobs left behind is done."""
        async with asyncio.TaskGroup() as tasks:

            def closed(process: JobExecutor) -> None:
                if process.running_job is not None and process.status is JobStatus.FAILED:
                    tasks.create_task(self._lost(process.running_job.job))

            def watch() -> None:
                # LiveKit has no public event for it; a kill -9 is seen nowhere else.
                self._proc_pool.on("process_closed", closed)

            self.once("worker_started", watch)
            await super().run(devmode=devmode, unregistered=unregistered)

    async def _lost(self, job: Job) -> None:
        try:
            await self._job_lost(job)
        except Exception:  # noqa: BLE001 - the other calls of this worker go on
            _log.exception("a lost call could not be ended", extra={"room": job.room.name})
