"""The worker of a rehearsal: ``python -m lastword.jobs.worker_process``.

It is the deployed worker. Only its start is quicker: the server that its job processes fork from
imports the agent beside this process, not after it. A deployed worker is started by
``lastword worker start``, which leaves the order to LiveKit; there, seconds at start are nothing,
and LiveKit first puts settings into the environment that the fork server must see.
"""

from __future__ import annotations

import sys

from lastword.jobs.forks import preload_forks
from lastword.settings import make_checkpoints_strict

if __name__ == "__main__":
    make_checkpoints_strict()  # the fork server has the environment that is there now
    preload_forks("lastword.worker")

    from lastword.cli import main

    sys.argv = ["lastword", "worker", "start", *sys.argv[1:]]
    main()
