"""Lets job processes start quicker."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing import forkserver


def preload_forks(module: str) -> None:
    """Start the server that job processes fork from; it imports ``module`` beside this process.

    Without effect where there is no such server.
    """
    if "forkserver" in multiprocessing.get_all_start_methods() and sys.platform == "linux":
        multiprocessing.get_context("forkserver").set_forkserver_preload([module])
        forkserver.ensure_running()
