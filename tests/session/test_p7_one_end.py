"""A call has one end, the first, and its line is taken down whatever happens (P7)."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from livekit.agents import AgentSession

from lastword.call import Call
from lastword.dispatch import read_dispatch
from lastword.graphs_config import CallGraph
from lastword.hangup.call_end import CallEnd
from lastword.providers.voices import TYPED
from lastword.room.call_agent import CallAgent
from lastword.signals import CallPolicy
from lastword.testing.fakes.recording_events import RecordingEvents
from tests.fakes.line import FakeLine
from tests.fakes.sample_graphs import graph


def a_call(events: RecordingEvents) -> Call:
    return Call(
        "call-under-test",
        graph=CallGraph("under_test", graph, CallPolicy()),
        dispatch=read_dispatch(""),
        events=events,
        voices=TYPED,
    )


async def never(session: AgentSession[None], agent: CallAgent) -> None:
    raise AssertionError("nobody is there to talk to")


async def test_p7_the_first_end_wins_over_a_failure_that_follows_from_it() -> None:
    call, line = a_call(RecordingEvents()), FakeLine()

    async def room_goes() -> str:
        call.end(CallEnd("operator", "room_deleted"))
        raise RuntimeError("room disconnected while waiting for participant")

    end = await call.run(never, [line], caller_joined=room_goes)
    assert end == CallEnd("operator", "room_deleted")
    assert line.removals == 1


async def test_p7_a_call_that_cannot_start_takes_its_line_down() -> None:
    call, line, events = a_call(RecordingEvents()), FakeLine(), RecordingEvents()
    call = a_call(events)

    async def joined() -> str:
        return "caller"

    end = await call.run(never, [line], caller_joined=joined)
    assert end == CallEnd("error", "call_failed")
    assert call.ended
    assert line.removals == 1
    assert events.names[-2:] == ["gone", "call_ended"]


class SlowLine(FakeLine):
    """A line whose removal waits for the test."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.let = asyncio.Event(), asyncio.Event()

    async def remove(self) -> None:
        self.asked.set()
        await self.let.wait()
        await super().remove()


async def test_p7_a_job_that_is_cancelled_twice_still_takes_the_line_down() -> None:
    events, line = RecordingEvents(), SlowLine()

    async def waits() -> str:
        await asyncio.Event().wait()
        return ""

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(a_call(events).run(never, [line], caller_joined=waits))
        await events.until("call_started")
        running.cancel()
        await line.asked.wait()
        running.cancel()
        line.let.set()
        with suppress(asyncio.CancelledError):
            await running
    assert line.removals == 1
    assert events.names[-1] == "call_ended"
