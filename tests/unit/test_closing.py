"""One call on its way to its end: reports in any order have the effect they should (P3, P7)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from lastword.events import Event
from lastword.hangup.call_end import CallEnd
from lastword.hangup.closing import Closing, Farewell
from lastword.hangup.phases import FarewellLimits, Phase
from lastword.testing.fakes.recording_events import RecordingEvents
from tests.fakes.line import FakeLine

pytestmark = pytest.mark.looptime
CONFIRMED = CallEnd("graph", "confirmed", {"id": 7})
LEFT = CallEnd("caller", "caller_hung_up", disconnect_reason="CLIENT_INITIATED")
DRAINED = CallEnd("operator", "worker_shutdown")


def a_closing(tail: float = 0.5) -> tuple[Closing, RecordingEvents]:
    events = RecordingEvents()
    return Closing(events, FarewellLimits(tail, farewell_max_wait=60)), events


def begun(closing: Closing) -> Farewell:
    farewell = closing.begin_farewell(CONFIRMED, "node")
    assert farewell is not None
    return farewell


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_p1_the_line_is_to_be_taken_down_when_the_tail_is_over() -> None:
    closing, events = a_closing()
    begun(closing).played()
    assert await closing.decided() == CONFIRMED
    assert now() == pytest.approx(0.5)
    assert events.names == ["ending", "farewell_played", "hanging_up"]
    assert [events.named(name)[0]["phase"] for name in events.names] == [
        "ending", "draining", "hanging_up",
    ]  # fmt: skip


async def test_p7_a_second_ending_is_none() -> None:
    closing, _ = a_closing()
    begun(closing)
    assert closing.begin_farewell(CallEnd("graph", "other"), "token") is None
    assert closing.end == CONFIRMED


async def test_p3_a_farewell_that_was_called_off_has_no_effect_any_more() -> None:
    closing, events = a_closing()
    first = begun(closing)
    first.call_off()
    assert closing.is_talking
    first.played()
    first.call_off()
    await asyncio.sleep(100)
    assert closing.is_talking
    second = begun(closing)
    first.call_off()
    first.played()
    assert closing.phase is Phase.ENDING
    second.played()
    await closing.decided()
    assert events.names == [
        "ending", "ending_cancelled", "ending", "farewell_played", "hanging_up",
    ]  # fmt: skip


async def test_p7_a_farewell_that_is_never_played_is_not_waited_for_for_ever() -> None:
    closing, _ = a_closing()
    begun(closing)
    assert await closing.decided() == CONFIRMED
    assert now() == pytest.approx(60)
    assert closing.farewell == "overdue"


async def test_a_caller_who_leaves_during_the_farewell_changes_nothing_of_what_was_decided() -> (
    None
):
    closing, _ = a_closing()
    begun(closing)
    closing.cut_short(LEFT)
    end = await closing.decided()
    assert (end.ended_by, end.reason, end.outcome) == ("graph", "confirmed", {"id": 7})
    assert end.disconnect_reason == "CLIENT_INITIATED"
    assert closing.farewell == "cut_short"


async def test_p7_the_first_to_end_a_call_at_once_has_ended_it() -> None:
    closing, _ = a_closing()
    closing.cut_short(LEFT)
    closing.cut_short(DRAINED)
    assert await closing.decided() == LEFT
    assert closing.farewell == "none"


async def test_p7_what_comes_after_the_end_ends_nothing() -> None:
    closing, _ = a_closing()
    begun(closing).played()
    decided = await closing.decided()
    closing.cut_short(LEFT)
    assert closing.end == decided
    assert closing.farewell == "played"


SOUNDS: list[tuple[Sequence[tuple[float, str]], float]] = [
    ([(0.2, "sound"), (0.4, "quiet")], 0.4 + 1.5),
    ([(0.2, "sound"), (0.9, "quiet"), (1.3, "words")], 1.3),
    ([(0.2, "sound"), (0.3, "quiet"), (0.4, "words")], 0.5),
    ([(0.2, "sound"), (0.4, "words"), (0.9, "quiet")], 0.4 + 1.5),
    ([(0.2, "sound")], 10.0),
    ([(0.2, "sound"), (9.0, "quiet")], 10.0),
    ([(0.2, "words")], 0.5),
]


@pytest.mark.parametrize(("sounds", "hung_up_at"), SOUNDS)
async def test_p3_the_hang_up_waits_for_the_words_of_a_sound(
    sounds: Sequence[tuple[float, str]], hung_up_at: float
) -> None:
    closing, _ = a_closing()
    farewell = begun(closing)
    farewell.played()
    for at, what in sounds:
        await asyncio.sleep(at - now())
        if what == "words":
            farewell.words_came()
        else:
            farewell.makes_sound(speaking=what == "sound")
    await closing.decided()
    assert now() == pytest.approx(hung_up_at)


async def test_p7_what_was_removed_is_in_the_events() -> None:
    closing, events = a_closing()
    closing.cut_short(LEFT)
    await closing.take_down([FakeLine([RuntimeError("closed")]), FakeLine(name="caller")])
    assert closing.phase is Phase.GONE
    assert events.named("gone")[-1]["removed"] == "caller"


async def test_p7_a_line_that_may_be_up_is_told() -> None:
    closing, events = a_closing()
    closing.cut_short(LEFT)
    await closing.take_down([FakeLine([RuntimeError("closed")])])
    assert closing.phase is Phase.GIVEN_UP
    assert events.names[-1] == "hang_up_failed"


def caller_words(events: RecordingEvents) -> list[str]:
    return [one["words"] for one in events.recorded if one["event"] == "caller_said"]


async def test_p3_words_over_a_farewell_are_handed_to_the_next_turn_once() -> None:
    closing, events = a_closing()
    farewell = begun(closing)
    farewell.caller_said("okay")
    farewell.caller_said("oh wait")
    farewell.call_off()
    assert closing.take_unanswered() == ["okay", "oh wait"]
    assert closing.take_unanswered() == []
    closing.cut_short(LEFT)
    assert caller_words(events) == [], "the turn that took them has them in the record"


async def test_p8_words_over_farewells_that_no_turn_took_are_in_the_record() -> None:
    closing, events = a_closing(tail=0)
    first = begun(closing)
    first.caller_said("oh wait")
    first.call_off()
    second = begun(closing)
    second.caller_said("bye")
    second.played()
    assert caller_words(events) == ["oh wait", "bye"]
    assert closing.take_unanswered() == []


async def test_p7_a_call_that_a_subscriber_ends_at_a_cancelled_ending_has_one_end() -> None:
    closing, events = a_closing()

    def stop(event: Event) -> None:
        if event["event"] == "ending_cancelled":
            closing.cut_short(DRAINED)

    events.subscribe(stop)
    begun(closing).call_off()
    [hanging_up] = events.named("hanging_up")
    assert (hanging_up["ended_by"], hanging_up["reason"]) == ("operator", "worker_shutdown")
    assert closing.end == DRAINED
