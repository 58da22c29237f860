"""The conversation of one call with its graph: everything that outlives a single run."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, defaultdict
from collections.abc import AsyncGenerator
from typing import Any

from livekit.agents import AgentSession, ConversationItemAddedEvent, llm
from livekit.agents.voice import SpeechHandle

from lastword.bridge.bound_graph import BoundGraph, Part, RunStart
from lastword.bridge.chat_items import Question, RunPointer, newest_message_id
from lastword.bridge.turn import Turn, read_turn

UNCERTAIN_SECONDS = 120.0
"""Seconds that a turn may stay uncertain: a caller does not speak for so long without LiveKit
starting a new answer."""
KEPT_POINTERS = 64
"""Number of run pointers that are kept: an older run cannot turn out to be unheard any more."""

_log = logging.getLogger("lastword.bridge")


class ConversationThread:
    """What all runs of one call share.

    ``graph`` is the graph and its memory. ``turns`` knows which turns are certain. ``background``
    holds the runs that go on after their end node. ``model`` and ``provider`` name the chat model
    that the graph called last. The thread also keeps the newest pointer of every turn, and which
    questions a run is answering.
    """

    def __init__(self, graph: BoundGraph) -> None:
        self.graph = graph
        self.turns = CertainTurns()
        self.background = BackgroundRuns()
        self.model = "unknown"
        self.provider = "LangChain"
        self._pointers: OrderedDict[str, RunPointer] = OrderedDict()
        self._claimed: set[tuple[str, int]] = set()

    @property
    def session(self) -> AgentSession[Any] | None:
        """The session that is followed."""
        return self.turns.session

    @property
    def open_question(self) -> Question | None:
        """The question that the graph waits for in the followed session.

        None when there is no session or no question, or when a run is answering it.
        """
        if self.session is None:
            return None
        questions = self.read_turn(self.session.history).questions
        if not questions or _key(questions[0]) in self._claimed:
            return None
        return questions[0]

    def read_turn(self, history: llm.ChatContext) -> Turn:
        """What the turn at the end of ``history`` sends to the graph."""
        newest = newest_message_id(history)
        unheard = {
            item: pointer
            for item, pointer in self._pointers.items()
            if item != newest or self.turns.confirmed(item)
        }
        return read_turn(
            history,
            remembers=self.graph.remembers,
            unheard=unheard,
            playing=self.session is not None and self.session.agent_state == "speaking",
        )

    async def prepare(self, turn: Turn) -> RunStart:
        """Bring the graph's memory to where ``turn`` continues, after the background runs."""
        await self.background.done()
        base = turn.checkpoint_id or await self.graph.root()
        if turn.questions:
            await self.graph.reopen(turn.questions[0], base)
        elif turn.broken_off:
            return await self.graph.finish_step(base)
        return RunStart(base, await self.graph.messages(base) if turn.heard else [], [])

    def claim(self, question: Question) -> bool:
        """Claim ``question`` for one run; False when another run answers it or has answered it."""
        if _key(question) in self._claimed:
            return False
        self._claimed.add(_key(question))
        return True

    def release(self, question: Question) -> None:
        """Give up the claim on ``question``: it was not answered."""
        self._claimed.discard(_key(question))

    def keep_pointer(self, item_id: str, pointer: RunPointer) -> None:
        """Keep the pointer of the run that answers chat item ``item_id``.

        It is used only for items that are in the history: those of discarded runs are not.
        """
        self._pointers[item_id] = pointer
        self._pointers.move_to_end(item_id)
        if len(self._pointers) > KEPT_POINTERS:
            self._pointers.popitem(last=False)

    def note_model(self, model: str | None, provider: str | None) -> None:
        """Note the chat model that a run has called; None keeps the one before."""
        self.model = model or self.model
        self.provider = provider or self.provider

    async def answer_item(self, session: AgentSession[Any], item: llm.ChatMessage) -> SpeechHandle:
        """Add ``item`` to the chat of ``session``, and let the graph answer it."""
        agent = session.current_agent
        history = agent.chat_ctx.copy()
        history.insert(item)
        await agent.update_chat_ctx(history)
        return session.generate_reply()


class CertainTurns:
    """Which turns are certain: the caller has finished speaking, and the answer will be spoken.

    LiveKit adds the caller's words to the conversation when it adopts an answer, a speculative one
    too; the words of an answer that it discards are never added. A turn is named by the id of the
    chat item with the caller's words. As long as no session is followed, every turn is certain.
    """

    def __init__(self) -> None:
        self.session: AgentSession[Any] | None = None
        self._added: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def follow(self, session: AgentSession[Any]) -> None:
        """Take the conversation of ``session`` as the one that counts."""
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
        """Wait until the turn is certain; one without words of the caller (None) always is.

        Raises:
            TimeoutError: the words were not added to the conversation within ``UNCERTAIN_SECONDS``.
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
        """Whether the agent itself was given the item: an application may pass on an older chat."""
        try:
            agent = session.current_agent
        except RuntimeError:  # how LiveKit says that the session has not started
            return False
        return agent.chat_ctx.get_by_id(item_id) is not None


class BackgroundRuns:
    """Runs whose last word is spoken, and whose graph still has work to do.

    A new run waits for them. Await ``done`` before the graph's memory is closed.
    """

    def __init__(self) -> None:
        self._working: set[asyncio.Task[None]] = set()

    def take_over(self, parts: AsyncGenerator[Part], seconds: float) -> None:
        """Consume the rest of a run's stream, for ``seconds`` at most, and close it."""
        # This object owns the task: ``done`` waits for it, and the timeout ends it.
        working = asyncio.get_running_loop().create_task(self._work(parts, seconds))
        self._working.add(working)
        working.add_done_callback(self._working.discard)

    async def done(self) -> None:
        """Wait until no run is left."""
        while self._working:
            await asyncio.wait(self._working)

    async def _work(self, parts: AsyncGenerator[Part], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                async for _ in parts:
                    pass
        except Exception:  # noqa: BLE001 - the goodbye is spoken already
            _log.exception("the graph failed after its end node")
        finally:
            await parts.aclose()


def _key(question: Question) -> tuple[str, int]:
    return question["id"], question["answered"]
