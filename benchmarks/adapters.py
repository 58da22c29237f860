"""Compare upstream's LLMAdapter and GraphLLM: the same graphs, the same scripts.

``python -m benchmarks.adapters`` runs both and prints the table of docs/adapters.md. ``--write``
writes it into the page; ``--check`` exits with 1 if the page differs. Needs no key and no network.
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
    """One row of the table: what it is about, what upstream does, what GraphLLM does."""
    return row.about, await row.script(UPSTREAM), await row.script(OURS)


def versions() -> str:
    """The installed versions of the compared packages."""
    return ", ".join(f"{package} {version(package)}" for package in PACKAGES)


async def comparison() -> str:
    """The whole table."""
    head = ("case", "`LLMAdapter` (upstream)", "`GraphLLM`")
    return table(head, *[await compare(row) for row in ROWS])


def main() -> None:
    """Run the comparison; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # some graphs fail on purpose
    now = {"versions": versions(), "table": asyncio.run(comparison())}
    console = SafeConsole(soft_wrap=True)
    for name, text in now.items():
        console.print(text)
        if arguments.write:
            write_part(ADAPTERS, name, text)
        if arguments.check and read_part(ADAPTERS, name) != text:
            raise SystemExit(f"docs/adapters.md is out of date ({name}): run again with --write")


if __name__ == "__main__":
    main()
