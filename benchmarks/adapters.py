"""Upstream's LLMAdapter and GraphLLM, the same graphs, the same scripts: the table in the docs.

``python -m benchmarks.adapters`` prints what both do now. ``--write`` puts it into
docs/adapters.md, ``--check`` exits with 1 when what stands there is not what they do. No key, no
network.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from importlib.metadata import version

from benchmarks.adapter_call import OURS, UPSTREAM
from benchmarks.adapter_rows import ROWS, Row
from benchmarks.document import ADAPTERS, read_part, table, write_part
from lastword.terminal import SafeConsole

PACKAGES = ("livekit-agents", "livekit-plugins-langchain", "langgraph", "langchain-core")


async def compare(row: Row) -> tuple[str, str, str]:
    """One line of the table: what it is about, what upstream does, what GraphLLM does."""
    return row.about, await row.script(UPSTREAM), await row.script(OURS)


def versions() -> str:
    """What is compared, by the installed packages' own word."""
    return ", ".join(f"{package} {version(package)}" for package in PACKAGES)


async def comparison() -> str:
    """The whole table."""
    head = ("the graph", "`LLMAdapter` (upstream)", "`GraphLLM`")
    return table(head, *[await compare(row) for row in ROWS])


def main() -> None:
    """Make the comparison; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # graphs that fail are part of it
    now = {"versions": versions(), "table": asyncio.run(comparison())}
    console = SafeConsole(soft_wrap=True)
    for name, text in now.items():
        console.print(text)
        if arguments.write:
            write_part(ADAPTERS, name, text)
        if arguments.check and read_part(ADAPTERS, name) != text:
            raise SystemExit(f"docs/adapters.md is stale: {name}; run with --write")


if __name__ == "__main__":
    main()
