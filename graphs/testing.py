"""What each test call of the samples is given; pyproject.toml names it for ``lastword``."""

from __future__ import annotations

from pathlib import Path

from graphs.store import PracticeContext


def call_context(folder: Path) -> PracticeContext:
    """Give a call a store of its own, in ``folder``."""
    return PracticeContext(store_path=str(folder / "store.sqlite3"))
