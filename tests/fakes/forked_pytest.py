"""pytest in another project, forked from a process that has imported the libraries once.

Importing LiveKit, LangGraph and pytest takes seconds. ``lastword`` and ``graphs`` are imported in
the fork, because a project may have its own copies.
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
"""The exit code of a run that did not import one of its project's own packages from the project."""
SECONDS = 100.0
"""Time limit of one run, in seconds."""
_parent = multiprocessing.get_context("forkserver")
_parent.set_forkserver_preload(LIBRARIES)


@dataclass(frozen=True)
class Ran:
    """The output of a command and its exit code."""

    code: int | None
    printed: str


def run_pytest(project: Path, *arguments: str, sources: Sequence[Path]) -> Ran:
    """Run pytest with ``arguments`` in ``project``.

    Args:
        project: the working directory.
        arguments: of pytest.
        sources: folders that imports search first; ``OWN`` packages in them must be imported
            from them, or the exit code is ``WRONG_SOURCES``.

    A run that takes longer than ``SECONDS`` is killed; its ``code`` is negative.
    """
    log = project / "pytest.log"
    process = _parent.Process(target=_run, args=(project, arguments, sources, log))
    process.start()
    try:
        process.join(SECONDS)
    finally:
        process.kill()
        process.join()
    return Ran(process.exitcode, log.read_text())


def _run(project: Path, arguments: Sequence[str], sources: Sequence[Path], log: Path) -> None:
    with log.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(project)
    os.environ["COLUMNS"] = "100"  # noqa: TID251 - pytest reads it here
    sys.path[:0] = [str(source) for source in sources]
    code = pytest.main(list(arguments))
    wrong = [source / name for source in sources for name in OWN if not _is_used(source / name)]
    sys.stdout.write(f"imported from elsewhere: {wrong}\n" if wrong else "")
    sys.exit(WRONG_SOURCES if wrong else code)


def _is_used(package: Path) -> bool:
    """Return True if ``package`` was imported from this path, or does not exist here."""
    where = getattr(sys.modules.get(package.name), "__file__", None)
    return not package.is_dir() or (where is not None and Path(where).is_relative_to(package))
