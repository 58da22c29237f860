"""The interface of a database that keeps a graph's memory."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from langgraph.checkpoint.base import BaseCheckpointSaver

Memory: TypeAlias = BaseCheckpointSaver[str]


class Busy(Exception):
    """Another process is preparing the same memory."""


class Database(Protocol):
    """A database with a LangGraph checkpoint saver; it connects on first use."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """The exceptions of its client when the database cannot be used."""

    def open(self) -> AbstractAsyncContextManager[Memory]:
        """Open the database for one call."""

    async def prepare(self) -> None:
        """Create the missing tables.

        Raises:
            Busy: another process is preparing the database; try again.
        """
