"""What a database must do to be a graph's memory."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from langgraph.checkpoint.base import BaseCheckpointSaver

Memory: TypeAlias = BaseCheckpointSaver[str]


class Busy(Exception):
    """Another process is preparing the same memory at this moment."""


class Database(Protocol):
    """A database that LangGraph has a saver for; it is not connected before it is used."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What its client raises when the database cannot be used."""

    def open(self) -> AbstractAsyncContextManager[Memory]:
        """Open it for one call."""

    async def prepare(self) -> None:
        """Make the tables that are not there yet.

        Raises:
            Busy: try again soon.
        """
