"""Measures the side of a second model by running the command in a second process.

A graph usually gets its model when its module is imported, which happens once per process.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lastword.errors import EvaluationFailed
from lastword.settings import inherited_environment
from lastword.tools.evaluation.dataset import Case
from lastword.tools.evaluation.figures import Decision, Side

_FIELDS = ("outcome", "asked", "said", "reason", "seconds", "late", "why")


async def run_elsewhere(arguments: Sequence[str], cases: Mapping[str, Case], folder: Path) -> Side:
    """Run ``lastword eval ends`` with ``arguments`` and return its first side.

    Args:
        arguments: those of the command, without ``--json``.
        cases: case id → case.
        folder: an existing folder, where the process writes its figures.

    Raises:
        EvaluationFailed: the process exits with an error; the message contains its last line.
    """
    written = folder / "second-side.json"
    command = [sys.executable, "-m", "lastword", "eval", "ends", *arguments, "--json", str(written)]
    process = await asyncio.create_subprocess_exec(
        *command,
        env=inherited_environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        lines = errors.decode(errors="replace").strip().splitlines()
        said = lines[-1].removeprefix("lastword: ") if lines else "it printed nothing"
        raise EvaluationFailed(f"the second side failed: {said}")
    content = json.loads(await asyncio.to_thread(written.read_text, encoding="utf-8"))
    return side_from(content["sides"][0], cases)


def side_from(written: Mapping[str, Any], cases: Mapping[str, Case]) -> Side:
    """Read one of the ``sides`` of ``report.as_json``; ``cases`` maps case ids to cases.

    Raises:
        KeyError: a case or a field is missing.
    """
    decisions = tuple(
        Decision(cases[one["id"]], **{field: one[field] for field in _FIELDS})
        for one in written["cases"]
    )
    return Side(written["graph"], written["model"], decisions)
