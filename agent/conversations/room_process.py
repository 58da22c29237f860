"""The program of the worker of replayed calls: ``python -m agent.conversations.room_process``.

As ``agent.worker_process``, it lets the server that job processes fork from import beside it.
"""

from __future__ import annotations

from agent.forks import preload_forks
from agent.settings import make_checkpoints_strict

if __name__ == "__main__":
    make_checkpoints_strict()  # the fork server has the environment that is there now
    preload_forks("agent.conversations.room_worker")

    from agent.conversations.room_worker import main

    main()
