"""Whatever happens, in whatever order, a call has one end and its line goes down once (P7)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

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

from lastword.hangup.call_end import CallEnd
from lastword.hangup.hang_up import ATTEMPTS, MAX_SECONDS
from lastword.hangup.phases import VOICE_MAX, Phase
from lastword.signals import CallPolicy
from tests.fakes.ended_call import AT_ONCE, SOURCES, EndedCall
from tests.fakes.line import Fault, FaultyLine

POLICY = CallPolicy(tail=0.5, farewell_max_wait=20, first_words_timeout=None)
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
        self.allowed = False
        self.end: CallEnd | None = None

    @initialize(faults=FAULTS, caller_faults=FAULTS)
    def ring(self, faults: list[Fault], caller_faults: list[Fault]) -> None:
        self.faults = faults
        self.lines = [FaultyLine(faults), FaultyLine(caller_faults)]
        self.it = self.loop.run_until_complete(EndedCall.begin(POLICY, self.lines))

    def do(self, what: Callable[[], object], seconds: float = 0.001) -> None:
        """Let something happen on the loop, and let the loop come to rest."""

        async def happens() -> None:
            what()
            await asyncio.sleep(seconds)
            self.allowed = self.it.may_be_hung_up()

        self.loop.run_until_complete(happens())

    @rule(source=st.sampled_from(SOURCES))
    def the_graph_ends_the_call(self, source: str) -> None:
        self.do(lambda: self.it.graph_ends(source))

    @precondition(lambda self: self.it.farewells)
    @rule(data=st.data())
    def the_farewell_is_played(self, data: st.DataObject) -> None:
        self.do(data.draw(st.sampled_from(self.it.farewells)).played)

    @precondition(lambda self: self.it.farewells)
    @rule(data=st.data())
    def the_caller_speaks_over_it(self, data: st.DataObject) -> None:
        self.do(data.draw(st.sampled_from(self.it.farewells)).call_off)

    @precondition(lambda self: self.it.farewells)
    @rule(data=st.data(), speaking=st.booleans(), words=st.booleans())
    def the_caller_makes_a_sound(self, data: st.DataObject, speaking: bool, words: bool) -> None:
        farewell = data.draw(st.sampled_from(self.it.farewells))
        self.do(lambda: farewell.makes_sound(speaking=speaking))
        if words:
            self.do(farewell.words_came)

    @rule(what=st.sampled_from(sorted(AT_ONCE)))
    def somebody_ends_it_at_once(self, what: str) -> None:
        self.do(lambda: self.it.at_once(what))

    @rule()
    def the_job_is_cancelled(self) -> None:
        self.do(self.it.cancel)

    @rule(seconds=st.floats(0.01, 30))
    def time_passes(self, seconds: float) -> None:
        self.do(lambda: None, seconds)

    @invariant()
    def the_line_is_taken_down_once_and_not_too_early(self) -> None:
        if not hasattr(self, "it"):
            return
        tried = sum(line.tries for line in self.lines)
        assert self.allowed or not tried, "removed before the farewell was played"
        assert all(line.taken_down <= 1 for line in self.lines)
        assert self.lines[0].is_up or not self.lines[1].tries or "answer_lost" in self.faults
        assert self.it.events.names.count("hanging_up") <= 1
        assert self.it.events.names.count("call_ended") <= 1

    @invariant()
    def whoever_has_ended_it_has_ended_it(self) -> None:
        if hasattr(self, "it") and self.it.call.ended:
            self.end = self.end or self.it.call.closing.end
            assert self.it.call.closing.end == self.end

    def teardown(self) -> None:
        try:
            if hasattr(self, "it"):
                self.must_end()
        finally:
            self.loop.close()

    def must_end(self) -> None:
        """However it stands, a call that ends, or that somebody ends, is over within the bound."""
        began, bound = self.loop.time(), POLICY.farewell_max_wait + VOICE_MAX
        if self.it.phase is Phase.TALKING:
            self.somebody_ends_it_at_once("the caller hangs up")
            bound = 0.0
        with suppress(asyncio.CancelledError):
            self.loop.run_until_complete(self.it.running)
        assert self.it.phase in OVER
        assert self.loop.time() - began <= bound + 2 * MAX_SECONDS + 0.1
        assert self.it.events.names[-1] == "call_ended"
        if not NEVER_PASSES & set(self.faults) and len(self.faults) < ATTEMPTS - 2:
            assert self.it.phase is Phase.GONE
            assert not self.lines[0].is_up
        self.do(lambda: None)
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
