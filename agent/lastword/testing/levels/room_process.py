"""The program of the worker of replayed calls: ``python -m lastword.testing.levels.room_process``.

As ``lastword.jobs.worker_process``, it lets the server that job processes fork from import beside
it.
"""

from __future__ import annotations

from lastword.jobs.forks import preload_forks
from lastword.settings import make_checkpoints_strict

if __name__ == "__main__":
    make_checkpoints_strict()  # the fork server has the environment that is there now
    preload_forks("lastword.testing.levels.room_worker")

    from lastword.testing.levels.room_worker import main

    main()
