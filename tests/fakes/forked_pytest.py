"""pytest over a copy of the project, forked from a process that has imported the libraries once.

Importing LiveKit, LangGraph and pytest takes seconds. ``lastword`` and ``graphs`` are imported in
the fork, from the copy.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

LIBRARIES = [
    *("pytest", "yaml", "regex", "sqlite3", "time_machine", "pydantic_settings"),
    *("livekit.agents.cli", "livekit.plugins.cartesia", "livekit.plugins.deepgram"),
    *("livekit.plugins.langchain", "langgraph.prebuilt", "langgraph.pregel.remote"),
]
OWN = ("lastword", "graphs")
WRONG_SOURCES = 70
"""The exit code of a run that has imported one of ``OWN`` from elsewhere than its project."""
SECONDS = 100.0
"""How long one run may take."""
_parent = multiprocessing.get_context("forkserver")
_parent.set_forkserver_preload(LIBRARIES)


@dataclass(frozen=True)
class Ran:
    """A finished run: its exit code, and what it wrote to both outputs."""

    returncode: int | None
    output: str


def run_pytest(project: Path, *arguments: str) -> Ran:
    """Run pytest with ``arguments`` in ``project``, whose packages lie in ``agent/`` and in it.

    A run that takes longer than ``SECONDS`` is killed; its ``returncode`` is negative.
    """
    log = project / "pytest.log"
    process = _parent.Process(target=_run, args=(project, arguments, log))
    process.start()
    try:
        process.join(SECONDS)
    finally:
        process.kill()
        process.join()
    return Ran(process.exitcode, log.read_text())


def _run(project: Path, arguments: Sequence[str], log: Path) -> None:
    with log.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(project)
    sys.path[:0] = [str(project / "agent"), str(project)]
    options = ["--disable-plugin-autoload", "-p", "lastword.testing.pytest_plugin"]
    code = pytest.main([*options, *arguments])
    wrong = [name for name in OWN if not _is_from(project, name)]
    sys.stdout.write(f"not from {project}: {wrong}\n" if wrong else "")
    sys.exit(WRONG_SOURCES if wrong else code)


def _is_from(project: Path, name: str) -> bool:
    """Whether the package ``name`` has been imported from ``project``."""
    where = getattr(sys.modules.get(name), "__file__", None)
    return where is not None and Path(where).is_relative_to(project)
