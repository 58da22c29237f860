"""What a finished task of LangGraph's has written, as its stream and its snapshots show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def each_write(shown: object) -> list[Any]:
    """Every write of a task to one channel; LangGraph shows several as ``{"$writes": [...]}``."""
    match shown:
        case {"$writes": list(several)}:
            return several
        case _:
            return [shown]


def writes_to(channel: str, result: object) -> list[Any]:
    """Every write of a task's result to ``channel``; of a functional graph's value none."""
    if isinstance(result, Mapping) and channel in result:
        return each_write(result[channel])
    return []
