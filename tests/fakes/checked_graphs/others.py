"""A graph that is no StateGraph."""

from __future__ import annotations

from typing import Any

from langgraph.func import entrypoint

from tests.fakes.checked_graphs.ways import not_run


@entrypoint()
def functional(words: str) -> dict[str, Any]:
    not_run()
    return {"words": words}
