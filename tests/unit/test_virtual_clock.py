"""A call's clock that a test sets: who waits is woken at its time, in order, and nobody else."""

from __future__ import annotations

import asyncio
from functools import partial
from math import inf

import pytest

from lastword.clock import timeout_at
from lastword.hangup.call_end import CallEnd
from lastword.hangup.closing import Closing
from lastword.hangup.phases import FarewellLimits
from lastword.testing.fakes.recording_events import RecordingEvents
from lastword.testing.virtual_clock import VirtualClock, settle


async def test_who_waits_is_woken_at_its_own_time_in_order() -> None:
    clock, woken = VirtualClock(), list[tuple[str, float]]()

    def note(name: str) -> None:
        woken.append((name, clock.time()))

    for name, when in (("late", 3.0), ("first", 1.0), ("second", 1.0), ("too late", 3.5)):
        clock.call_at(when, partial(note, name))
    await clock.advance(2)
    await clock.advance(1)
    assert woken == [("first", 1), ("second", 1), ("late", 3)]
    assert (clock.time(), clock.next_at) == (3, 3.5)


async def test_what_the_woken_code_waits_for_next_is_due_in_the_same_advance() -> None:
    clock, woken = VirtualClock(), list[float]()

    async def tick() -> None:
        while True:
            try:
                async with timeout_at(clock, clock.time() + 1):
                    await asyncio.Event().wait()
            except TimeoutError:
                woken.append(clock.time())

    async with asyncio.TaskGroup() as tasks:
        ticking = tasks.create_task(tick())
        await clock.advance(3.5)
        ticking.cancel()
    assert woken == [1, 2, 3]


async def test_a_leap_wakes_everybody_at_its_end() -> None:
    clock, woken = VirtualClock(), list[float]()
    for when in (1.0, 2.0):
        clock.call_at(when, lambda: woken.append(clock.time()))
    await clock.leap_to(10)
    assert woken == [10, 10]


async def test_a_timer_that_was_cancelled_is_not_called() -> None:
    clock, woken = VirtualClock(), list[float]()
    clock.call_at(1, lambda: woken.append(1)).cancel()
    assert clock.next_at is None
    await clock.advance(2)
    assert woken == []


async def test_a_block_that_is_done_in_time_is_not_cancelled() -> None:
    clock = VirtualClock()
    async with timeout_at(clock, 1):
        pass
    async with timeout_at(clock, inf):
        await clock.advance(100)


async def test_a_block_whose_time_is_up_is_cancelled() -> None:
    clock = VirtualClock()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(clock.advance(1))
        with pytest.raises(TimeoutError):
            await _never_within(clock, 1)


async def _never_within(clock: VirtualClock, seconds: float) -> None:
    async with timeout_at(clock, seconds):
        await asyncio.Event().wait()


async def test_p1_a_call_waits_for_its_tail_on_the_clock_that_it_is_given() -> None:
    clock = VirtualClock()
    closing = Closing(RecordingEvents(), FarewellLimits(tail=0.5, farewell_max_wait=60), clock)
    farewell = closing.begin_farewell(CallEnd("graph", "completed"), "node")
    assert farewell is not None
    farewell.played()
    await clock.advance(0.4)
    assert not closing.is_decided
    await clock.advance(0.2)
    await settle()
    assert closing.is_decided
