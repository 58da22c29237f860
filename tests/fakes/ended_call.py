"""A real call whose line is chosen by the test, and everything that can happen to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from livekit.agents import AgentSession

from lastword.call import Call
from lastword.dispatch import read_dispatch
from lastword.graphs_config import CallGraph
from lastword.hangup.call_end import CallEnd
from lastword.hangup.closing import Farewell
from lastword.hangup.hang_up import Line
from lastword.hangup.phases import Phase
from lastword.providers.voices import TYPED
from lastword.room.call_agent import CallAgent
from lastword.signals import CallPolicy
from lastword.testing.fakes.recording_events import RecordingEvents
from tests.fakes.sample_graphs import graph

SOURCES = ("node", "token", "event", "tool")
AT_ONCE = {
    "the caller hangs up": CallEnd("caller", "caller_hung_up"),
    "an operator hangs up": CallEnd("operator", "participant_removed"),
    "somebody deletes the room": CallEnd("operator", "room_deleted"),
    "a limit fires": CallEnd("limit", "max_duration"),
    "the worker is drained": CallEnd("operator", "worker_shutdown"),
    "the session breaks": CallEnd("error", "STTError"),
}


class EndedCall:
    """A connected call and its events; its conversation never starts.

    Create it with ``begin``.
    """

    def __init__(self, policy: CallPolicy) -> None:
        self.events = RecordingEvents()
        self.call = Call(
            "call-under-test",
            graph=CallGraph("under_test", graph, policy),
            dispatch=read_dispatch(""),
            events=self.events,
            voices=TYPED,
        )
        self.policy = policy
        self.farewells: list[Farewell] = []
        self.cut_short = False
        self.running: asyncio.Future[CallEnd]

    @classmethod
    async def begin(cls, policy: CallPolicy, lines: Sequence[Line]) -> EndedCall:
        """Start a call."""
        ended = cls(policy)

        async def start(session: AgentSession[None], agent: CallAgent) -> None:
            await asyncio.Event().wait()

        async def joined() -> str:
            return "caller"

        running = ended.call.run(start, lines, caller_joined=joined)
        ended.running = asyncio.ensure_future(running)
        await ended.events.until("caller_joined")
        return ended

    @property
    def phase(self) -> Phase:
        return self.call.closing.phase

    def graph_ends(self, source: str) -> None:
        farewell = self.call.closing.begin_farewell(CallEnd("graph", "completed"), source)
        if farewell is not None:
            self.farewells.append(farewell)

    def at_once(self, what: str) -> None:
        self.cut_short = True
        self.call.end(AT_ONCE[what])

    def cancel(self) -> None:
        self.cut_short = True
        self.running.cancel()

    def may_be_hung_up(self) -> bool:
        """Whether the events contain a reason to take the line down."""
        last = self.events.last("ending")
        if self.cut_short or last is None:
            return self.cut_short
        since = self.events.names[last:]
        elapsed = asyncio.get_running_loop().time() - self.events.times[last]
        overdue = elapsed >= self.policy.farewell_max_wait
        return "ending_cancelled" not in since and ("farewell_played" in since or overdue)
