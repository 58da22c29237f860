"""The side of another model: the same command in a process of its own.

A graph is usually built around its model when it is imported, once in a process.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from lastword.errors import EvaluationFailed
from lastword.settings import inherited_environment
from lastword.tools.evaluation.dataset import Case
from lastword.tools.evaluation.decision import Side
from lastword.tools.evaluation.record import side_from


async def run_elsewhere(arguments: Sequence[str], cases: Mapping[str, Case], folder: Path) -> Side:
    """Run ``lastword eval ends`` with ``arguments`` and read the side that it has measured.

    Args:
        arguments: the command's, without ``--json``.
        cases: by their id.
        folder: where its figures may be written.

    Raises:
        EvaluationFailed: it has ended without figures; the message has its last words.
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
        said = lines[-1].removeprefix("lastword: ") if lines else "it said nothing"
        raise EvaluationFailed(f"the second side failed: {said}")
    content = json.loads(await asyncio.to_thread(written.read_text, encoding="utf-8"))
    return side_from(content["sides"][0], cases)
