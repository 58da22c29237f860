"""Which turns are certain: the caller has finished, and the answer will be spoken.

LiveKit puts the caller's words into the conversation at the moment it adopts an answer, a
speculative one too; an answer that it throws away never gets that far.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict


class CertainTurns:
    """Turns by the id of the chat item with the caller's words.

    As long as nobody follows the conversation, every turn counts as certain.
    """

    def __init__(self) -> None:
        self.followed = False
        self._certain: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def confirm(self, item_id: str) -> None:
        """The words of item ``item_id`` are in the conversation."""
        self._certain[item_id].set()

    def confirmed(self, item_id: str) -> bool:
        """Whether the words of item ``item_id`` are known to be in the conversation."""
        return item_id in self._certain and self._certain[item_id].is_set()

    async def wait(self, item_id: str | None) -> None:
        """Wait until the turn is certain; a turn without words of the caller always is."""
        if self.followed and item_id is not None:
            await self._certain[item_id].wait()
