"""Which turns are certain: the caller has finished, and the answer will be spoken.

LiveKit puts the caller's words into the conversation at the moment it adopts an answer, a
speculative one too; an answer that it throws away never gets that far.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from livekit.agents import AgentSession, ConversationItemAddedEvent, llm

UNCERTAIN_SECONDS = 120.0
"""How long a turn may stay uncertain: longer than anybody speaks without LiveKit trying again."""


class CertainTurns:
    """Turns by the id of the chat item with the caller's words.

    As long as no session is followed, every turn counts as certain.
    """

    def __init__(self) -> None:
        self.session: AgentSession[Any] | None = None
        self._added: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def follow(self, session: AgentSession[Any]) -> None:
        """Take ``session``'s conversation for the one that counts."""
        self.session = session
        session.on("conversation_item_added", self._item_added)

    def confirmed(self, item_id: str) -> bool:
        """Whether item ``item_id`` is known to be in the conversation."""
        return self.session is not None and (
            (item_id in self._added and self._added[item_id].is_set())
            or self.session.history.get_by_id(item_id) is not None
            or self._agent_has(self.session, item_id)
        )

    async def wait(self, item_id: str | None) -> None:
        """Wait until the turn is certain; a turn without words of the caller always is.

        Raises:
            TimeoutError: it never became certain, as of words that are part of no conversation.
        """
        if self.session is None or item_id is None or self.confirmed(item_id):
            return
        async with asyncio.timeout(UNCERTAIN_SECONDS):
            await self._added[item_id].wait()

    def _item_added(self, event: ConversationItemAddedEvent) -> None:
        if isinstance(event.item, llm.ChatMessage):
            self._added[event.item.id].set()

    @staticmethod
    def _agent_has(session: AgentSession[Any], item_id: str) -> bool:
        """Whether the agent was given the item, as an application does with an older chat."""
        try:
            agent = session.current_agent
        except RuntimeError:  # LiveKit's way to say that the session has not started
            return False
        return agent.chat_ctx.get_by_id(item_id) is not None
