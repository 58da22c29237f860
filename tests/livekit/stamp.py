"""The versions of LiveKit with which the tests of this folder last passed.

``python -m tests.livekit.stamp`` compares them with the locked versions: exit code 0 if they are
equal, 1 if the tests must run again. ``--write`` records the locked versions; ``make test-livekit``
does this after the tests have passed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from tests import PROJECT_ROOT

STAMP = Path("tests/livekit/passed_with.txt")
LOCKS = (
    Path("uv.lock"),
    Path("agent/lastword/testing/stage/go/go.sum"),
    Path("tests/livekit/test_endings.py"),
    Path("tests/livekit/test_ways_into_a_job.py"),
)
"""They pin livekit-agents, livekit-rtc and livekit-api, and livekit-server; and the tests."""


def present(project: Path) -> str:
    """The hashes of ``LOCKS``, in the format of ``sha256sum``."""
    hashes = (f"{sha256((project / lock).read_bytes()).hexdigest()}  {lock}\n" for lock in LOCKS)
    return "".join(hashes)


def changed(project: Path) -> list[str]:
    """The locks that have changed since the tests last passed."""
    stamp = project / STAMP
    passed_with = stamp.read_text().splitlines() if stamp.exists() else []
    return [
        line.partition("  ")[2] for line in present(project).splitlines() if line not in passed_with
    ]


def main(project: Path, arguments: Sequence[str]) -> int:
    """Compare or record the versions; returns the exit code."""
    if "--write" in arguments:
        (project / STAMP).write_text(present(project))
        sys.stdout.write(f"the versions are recorded in {STAMP}; commit this file\n")
        return 0
    if names := changed(project):
        sys.stdout.write(
            f"{', '.join(names)} changed since the tests of LiveKit's behaviour last passed\n"
        )
        return 1
    sys.stdout.write(
        f"LiveKit's own behaviour was tested with the present versions ({STAMP}): not again\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(PROJECT_ROOT, sys.argv[1:]))
