"""The worker of rehearsed and replayed calls: ``python -m lastword.testing.stage.worker_process``.

It is the deployed worker with a faster start: the fork server of its job processes imports the
worker's modules at the same time as this process, instead of after it. ``lastword worker start``
leaves the order to LiveKit, which first sets environment variables that the fork server needs; in
a deployment, seconds at the start do not matter.

The first argument is the module to run, ``lastword.worker`` or
``lastword.testing.levels.room_worker``: its ``run_worker`` gets the other arguments, which are
LiveKit's own.
"""

from __future__ import annotations

import importlib
import multiprocessing
import sys
from multiprocessing import forkserver

from lastword.settings import make_checkpoints_strict
from lastword.terminal import run_command


def preload_forks(module: str) -> None:
    """Start the fork server of the job processes; it imports ``module`` in parallel.

    Has no effect on systems without a fork server.
    """
    if "forkserver" in multiprocessing.get_all_start_methods() and sys.platform == "linux":
        multiprocessing.get_context("forkserver").set_forkserver_preload([module])
        forkserver.ensure_running()


if __name__ == "__main__":
    make_checkpoints_strict()  # before the fork server starts, which inherits the environment
    program = sys.argv[1]
    preload_forks(program)
    run_command(lambda: importlib.import_module(program).run_worker("start", *sys.argv[2:]))
