"""A conversation with nothing but the graph and the bridge: no session, no sound, milliseconds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from livekit.agents import utils

from lastword.bridge.adapter import call_llm
from lastword.bridge.chat_items import RunPointer
from lastword.dispatch import Dispatch
from lastword.graphs_config import CallGraph
from lastword.hangup import limits
from lastword.hangup.closers import is_closer
from lastword.hangup.farewell_guard import StoppedBy, limit_stopped_by
from lastword.signals import CallEvent
from lastword.testing.bare_chat import BareChat
from lastword.testing.forgotten_words import ForgottenWordsWatch
from lastword.testing.levels.as_call_event import happening, silences_after
from lastword.testing.levels.driver import NotSaid
from lastword.testing.observed import ToolWatch, state_at
from lastword.testing.reply import End, Reply
from lastword.testing.transcripts.transcript import (
    CallerSays,
    Cut,
    HangsUp,
    Keypad,
    LimitNear,
    Silence,
    TimeUp,
    Trigger,
    Voicemail,
)
from lastword.testing.wording import heard_until


class GraphCall:
    """A call of ``graph``; see ``Conducted``.

    Args:
        graph: the graph and its policy.
        dispatch: the metadata of the call.
        observers: are told what the graph does.
        more_context: keys of the graph's own context.
    """

    def __init__(
        self,
        graph: CallGraph,
        dispatch: Dispatch,
        observers: Sequence[BaseCallbackHandler] = (),
        more_context: Mapping[str, Any] | None = None,
    ) -> None:
        self._id = utils.shortuuid("conversation-")
        self._policy = graph.policy
        self._tools = ToolWatch()
        self._words = ForgottenWordsWatch()
        watching = [*observers, self._tools, self._words]
        self._llm = call_llm(
            self._id, graph, dispatch, observers=watching, more_context=more_context
        )
        self._chat = BareChat(self._llm)
        self._silences = 0
        self.end: End | None = None
        self.hang_ups = 0

    async def open(self, cut: Cut | None) -> Reply:
        """See ``Conducted``."""
        if self._policy.first_speaker == "caller":
            return Reply()
        return await self._answer(None, cut)

    async def take(self, trigger: Trigger, cut: Cut | None) -> Reply:
        """See ``Conducted``."""
        self._silences = silences_after(trigger, self._silences)
        match trigger:
            case _ if self.end is not None:
                return Reply(end=self.end, is_over=True)
            case HangsUp():
                return self._hang_up(Reply(), End("caller", "caller_hung_up"))
            case CallerSays() as said:
                self._chat.add("user", said.understood)
                return await self._answer(None, cut)
            case _:
                return await self._happens(trigger, cut)

    async def aclose(self) -> None:
        """See ``Conducted``."""
        await self._llm.aclose()

    async def _happens(
        self, trigger: Silence | LimitNear | TimeUp | Voicemail | Keypad, cut: Cut | None
    ) -> Reply:
        what = happening(trigger, self._policy, self._silences)
        if isinstance(what, limits.TimeUp):
            return self._limit(what, cut)
        return await self._answer(what, cut)

    def _limit(self, limit: limits.TimeUp, cut: Cut | None) -> Reply:
        """The worker's last sentence, and what the caller may do over it."""
        reply = Reply(said=limit.farewell, end=End("limit", limit.reason))
        if cut is None or cut.over is None:
            return self._hang_up(reply, reply.end)
        if limit.farewell:
            self._chat.add("assistant", limit.farewell)
        return self._cut(reply, cut, cut.over, limit_stopped_by(limit, self._policy))

    async def _answer(self, event: CallEvent | None, cut: Cut | None) -> Reply:
        if event is not None:
            self._chat.happens(event)
        answer = await self._chat.answer()
        state = await self._state(answer.pointer)
        reply = Reply(
            said=answer.said,
            nodes=answer.pointer["nodes"] if answer.pointer else (),
            tools=self._tools.take(),
            state=state,
            end=None if answer.ending is None else _end(answer.ending),
            seconds=answer.seconds,
            forgotten=self._words.take(answer.pointer, state),
        )
        if cut is not None and cut.over is not None:
            return self._cut(reply, cut, cut.over, self._policy.farewell_interruption)
        return reply if reply.end is None else self._hang_up(reply, reply.end)

    async def _state(self, pointer: RunPointer | None) -> Mapping[str, Any] | None:
        checkpoint = pointer["checkpoint_id"] if pointer else None
        return await state_at(self._llm.graph, self._id, checkpoint)

    def _cut(self, reply: Reply, cut: Cut, over: str, stopped_by: StoppedBy) -> Reply:
        """The caller hears no more of the answer, unless it is a farewell that stays."""
        heard = heard_until(reply.said, over)
        if heard is None:
            raise NotSaid(over, reply.said)
        says = cut.understood if isinstance(cut, CallerSays) else None
        if reply.end is not None and says is not None and self._is_in_vain(stopped_by, says):
            return self._hang_up(reply, reply.end)
        self._chat.cut(heard)
        reply = replace(reply, said=heard)
        return self._hang_up(reply, reply.end) if self._is_left(reply, cut) else reply

    def _is_in_vain(self, stopped_by: StoppedBy, words: str) -> bool:
        """Whether the words, said over a farewell, leave the call ended."""
        match stopped_by:
            case "any" | "words":
                return False
            case "never":
                return True
            case "new_request":
                return (self._policy.is_closer or is_closer)(words, "")

    @staticmethod
    def _is_left(reply: Reply, cut: Cut) -> bool:
        """Whether the caller leaves during a farewell: the end is the graph's all the same."""
        return isinstance(cut, HangsUp) and reply.end is not None

    def _hang_up(self, reply: Reply, end: End | None) -> Reply:
        self.end = end
        self.hang_ups += 1
        return replace(reply, end=end, is_over=True)


def _end(arguments: Mapping[str, Any]) -> End:
    source = arguments["source"]
    outcome = json.loads(arguments["outcome"])
    return End("error" if source == "failure" else "graph", arguments["reason"], outcome, source)
