"""The context of each test call of the samples; ``lastword`` finds it through pyproject.toml."""

from __future__ import annotations

from pathlib import Path

from graphs.store import PracticeContext


def call_context(folder: Path) -> PracticeContext:
    """Return a context with a new store in ``folder``."""
    return PracticeContext(store_path=str(folder / "store.sqlite3"))
