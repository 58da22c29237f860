"""The worker of rehearsed and replayed calls: ``python -m lastword.testing.stage.worker_process``.

It is the deployed worker with a quicker start: the server that its job processes fork from imports
the worker's modules beside this process instead of after it. ``lastword worker start`` leaves the
order to LiveKit, which first puts settings into the environment that the fork server needs; in a
deployment, seconds at start do not matter.

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
    """Start the server that job processes fork from; it imports ``module`` beside this process.

    Has no effect on systems without a fork server.
    """
    if "forkserver" in multiprocessing.get_all_start_methods() and sys.platform == "linux":
        multiprocessing.get_context("forkserver").set_forkserver_preload([module])
        forkserver.ensure_running()


if __name__ == "__main__":
    make_checkpoints_strict()  # the fork server inherits the environment of this moment
    program = sys.argv[1]
    preload_forks(program)
    run_command(lambda: importlib.import_module(program).run_worker("start", *sys.argv[2:]))
