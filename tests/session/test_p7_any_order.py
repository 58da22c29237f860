"""Whatever happens, in whatever order, a call has one end and its line goes down once (P7)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import looptime
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from livekit.agents import AgentSession

from agent.call import Call
from agent.call_agent import CallAgent
from agent.dispatch import read_dispatch
from agent.graph_registry import CallGraph
from agent.hangup.call_end import CallEnd
from agent.hangup.closing import Farewell
from agent.hangup.hang_up import ATTEMPTS, MAX_SECONDS
from agent.hangup.phases import VOICE_MAX, Phase
from agent.providers.voices import TYPED
from graphs.call_signals import CallPolicy
from tests.fakes.line import FaultyLine
from tests.fakes.phone import ListedJournal
from tests.fakes.sample_graphs import graph

POLICY = CallPolicy(tail=0.5, farewell_max_wait=20)
AT_ONCE = {
    "the caller hangs up": CallEnd("caller", "caller_hung_up"),
    "an operator hangs up": CallEnd("operator", "participant_removed"),
    "somebody deletes the room": CallEnd("operator", "room_deleted"),
    "a limit fires": CallEnd("limit", "max_duration"),
    "the worker is drained": CallEnd("operator", "worker_shutdown"),
    "the session breaks": CallEnd("error", "STTError"),
}
FAULTS = st.lists(
    st.sampled_from(["works", "refused", "broken", "hangs", "answer_lost", "forbidden", "closed"]),
    max_size=6,
)
OVER = (Phase.GONE, Phase.GIVEN_UP)
NEVER_PASSES = {"forbidden", "closed"}


class AnyOrder(RuleBasedStateMachine):
    """A real call on a loop whose time is the test's; only its line and its events are made up."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = looptime.new_event_loop()
        self.farewells: list[Farewell] = []
        self.cut_short = False
        self.end: CallEnd | None = None

    @initialize(faults=FAULTS, caller_faults=FAULTS)
    def ring(self, faults: Any, caller_faults: Any) -> None:
        self.faults = faults
        self.lines = [FaultyLine(faults), FaultyLine(caller_faults)]
        self.journal = ListedJournal()
        self.call, self.running = self.loop.run_until_complete(self._begin())

    async def _begin(self) -> tuple[Call, asyncio.Future[CallEnd]]:
        call = Call(
            "call-under-test",
            graph=CallGraph("under_test", graph, POLICY),
            dispatch=read_dispatch(""),
            journal=self.journal,
            voices=TYPED,
        )

        async def start(session: AgentSession[None], agent: CallAgent) -> None:
            await asyncio.Event().wait()

        async def joined() -> str:
            return "caller"

        running = asyncio.ensure_future(call.run(start, self.lines, caller_joined=joined))
        await asyncio.sleep(0.01)
        return call, running

    def do(self, what: Callable[[], object], seconds: float = 0.001) -> None:
        """Let something happen on the loop, and let the loop come to rest."""

        async def happens() -> None:
            what()
            await asyncio.sleep(seconds)

        self.loop.run_until_complete(happens())

    @property
    def phase(self) -> Phase:
        return self.call.closing.phase

    def was_allowed(self) -> bool:
        """Whether the journal tells why the line may be taken down."""
        last = self.journal.last("ending")
        if self.cut_short or last is None:
            return self.cut_short
        since = self.journal.events[last:]
        overdue = self.loop.time() >= self.journal.times[last] + POLICY.farewell_max_wait
        return "ending_cancelled" not in since and ("farewell_played" in since or overdue)

    @rule(source=st.sampled_from(["node", "token", "event", "tool"]))
    def the_graph_ends_the_call(self, source: str) -> None:
        def end() -> None:
            farewell = self.call.closing.begin_farewell(CallEnd("graph", "completed"), source)
            if farewell is not None:
                self.farewells.append(farewell)

        self.do(end)

    @precondition(lambda self: self.farewells)
    @rule(data=st.data())
    def the_farewell_is_played(self, data: st.DataObject) -> None:
        self.do(data.draw(st.sampled_from(self.farewells)).played)

    @precondition(lambda self: self.farewells)
    @rule(data=st.data())
    def the_caller_speaks_over_it(self, data: st.DataObject) -> None:
        self.do(data.draw(st.sampled_from(self.farewells)).call_off)

    @precondition(lambda self: self.farewells)
    @rule(data=st.data(), speaking=st.booleans(), words=st.booleans())
    def the_caller_makes_a_sound(self, data: st.DataObject, speaking: bool, words: bool) -> None:
        farewell = data.draw(st.sampled_from(self.farewells))
        self.do(lambda: farewell.makes_sound(speaking=speaking))
        if words:
            self.do(farewell.words_came)

    @rule(what=st.sampled_from(sorted(AT_ONCE)))
    def somebody_ends_it_at_once(self, what: str) -> None:
        self.cut_short = True
        self.do(lambda: self.call.end(AT_ONCE[what]))

    @rule()
    def the_job_is_cancelled(self) -> None:
        self.cut_short = True
        self.do(self.running.cancel)

    @rule(seconds=st.floats(0.01, 30))
    def time_passes(self, seconds: float) -> None:
        self.do(lambda: None, seconds)

    @invariant()
    def the_line_is_taken_down_once_and_not_too_early(self) -> None:
        if not hasattr(self, "call"):
            return
        tried = sum(line.tries for line in self.lines)
        assert self.was_allowed() or not tried, "removed before the farewell was played"
        assert all(line.taken_down <= 1 for line in self.lines)
        assert self.lines[0].is_up or not self.lines[1].tries or "answer_lost" in self.faults
        assert self.journal.events.count("hanging_up") <= 1
        assert self.journal.events.count("call_ended") <= 1

    @invariant()
    def whoever_has_ended_it_has_ended_it(self) -> None:
        if not hasattr(self, "call") or not self.call.ended:
            return
        self.end = self.end or self.call.closing.end
        assert self.call.closing.end == self.end

    def teardown(self) -> None:
        try:
            if hasattr(self, "call"):
                self._must_end()
        finally:
            self.loop.close()

    def _must_end(self) -> None:
        """However it stands, a call that somebody ends is over within the bound."""
        began, bound = self.loop.time(), POLICY.farewell_max_wait + VOICE_MAX
        if self.phase is Phase.TALKING:
            self.somebody_ends_it_at_once("the caller hangs up")
            bound = 0.0
        with suppress(asyncio.CancelledError):
            self.loop.run_until_complete(self.running)
        assert self.phase in OVER
        assert self.loop.time() - began <= bound + 2 * MAX_SECONDS + 0.1
        assert self.journal.events[-1] == "call_ended"
        if not NEVER_PASSES & set(self.faults) and len(self.faults) < ATTEMPTS - 2:
            assert self.phase is Phase.GONE
            assert not self.lines[0].is_up
        self.the_line_is_taken_down_once_and_not_too_early()


def test_p7_whatever_happens_a_call_has_one_end_and_its_line_goes_down_once() -> None:
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=200,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
