"""A call that a transcript conducts, at any level."""

from __future__ import annotations

from typing import Protocol

from lastword.testing.reply import End, Reply
from lastword.testing.transcripts.transcript import Cut, Trigger


class NotSaid(Exception):
    """The caller was to speak over words that the agent has not said."""

    def __init__(self, words: str, said: str) -> None:
        super().__init__(f"the agent did not say {words!r}")
        self.words = words
        self.said = said


class Conducted(Protocol):
    """A call in which the caller does one thing after the other."""

    @property
    def end(self) -> End | None:
        """How the call has ended; None: it has not."""

    @property
    def hang_ups(self) -> int:
        """How often a line was taken down."""

    async def open(self, cut: Cut | None) -> Reply:
        """The call is connected; an agent who speaks first does so.

        ``cut`` is what happens next, if it happens over the answer: the reply is what the caller
        has heard until then. A goodbye over a farewell changes nothing, and is over with it.

        Raises:
            NotSaid: ``cut`` was to happen over words that the agent did not say.
        """

    async def take(self, trigger: Trigger, cut: Cut | None) -> Reply:
        """Something happens, and the agent answers it.

        Raises:
            NotSaid: as in ``open``.
            ConversationError: it cannot happen in such a call.
        """

    async def aclose(self) -> None:
        """Leave the call."""
