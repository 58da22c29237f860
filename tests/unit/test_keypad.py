"""Keys that are pressed in one go reach the graph as one event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastword.room.keypad import (
    BURST,
    KEYS_PER_SECOND,
    MOST_KEYS,
    PAUSE_SECONDS,
    KeyAllowance,
    KeypadWatch,
)
from lastword.signals import CallEvent
from lastword.testing.fakes.recording_events import RecordingEvents

pytestmark = pytest.mark.looptime


class Pressed:
    """A watch, and what it has told the graph."""

    def __init__(self, *, is_talking: bool = True, breaks: bool = False) -> None:
        self.told: list[CallEvent] = []
        self.breaks = breaks
        self.events = RecordingEvents()
        self.noticed = 0
        self.watch = KeypadWatch(self.tell, lambda: is_talking, self.events, self.notice)

    def notice(self) -> None:
        self.noticed += 1

    @property
    def keys(self) -> list[str]:
        return [event["keys"] for event in self.told if event["kind"] == "keypad"]

    async def tell(self, event: CallEvent) -> None:
        if self.breaks:
            raise RuntimeError("no session")
        self.told.append(event)

    async def press(self, keys: str, *, then: float) -> None:
        for key in keys:
            self.watch.press(key)
        await asyncio.sleep(then)  # virtual time


@asynccontextmanager
async def watching(pressed: Pressed) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(pressed.watch.run())
        yield
        running.cancel()


async def test_keys_without_a_pause_are_one_event() -> None:
    pressed = Pressed()
    async with watching(pressed):
        await pressed.press("1", then=PAUSE_SECONDS / 2)
        await pressed.press("2", then=PAUSE_SECONDS + 0.1)
        await pressed.press("3", then=PAUSE_SECONDS + 0.1)
    assert pressed.keys == ["12", "3"]
    assert pressed.events.names == ["graph_told", "graph_told"]


async def test_the_four_letters_are_keys_as_livekits_sip_service_writes_them() -> None:
    pressed = Pressed()
    async with watching(pressed):
        await pressed.press("abcdABCD#", then=0.1)
    assert pressed.keys == ["ABCDABCD#"]


async def test_a_hash_says_that_all_is_pressed() -> None:
    pressed = Pressed()
    async with watching(pressed):
        await pressed.press("42#", then=PAUSE_SECONDS / 10)
        assert pressed.told == [{"kind": "keypad", "keys": "42#"}]


async def test_keys_over_a_farewell_change_nothing() -> None:
    pressed = Pressed(is_talking=False)
    async with watching(pressed):
        await pressed.press("1", then=PAUSE_SECONDS + 0.1)
    assert pressed.told == []


async def test_a_graph_that_cannot_be_told_does_not_stop_the_watch() -> None:
    pressed = Pressed(breaks=True)
    async with watching(pressed):
        await pressed.press("1", then=PAUSE_SECONDS + 0.1)
        pressed.breaks = False
        await pressed.press("2", then=PAUSE_SECONDS + 0.1)
    assert pressed.told == [{"kind": "keypad", "keys": "2"}]


NO_KEYS = (
    "",
    "12",
    "hello",
    "e",
    "E",
    " ",
    "\n",
    "\x1b[2J",
    "\N{ARABIC-INDIC DIGIT ONE}",
    "#" * 10_000,
)


@pytest.mark.parametrize("key", NO_KEYS)
async def test_what_is_no_key_is_dropped_and_logged_once(
    key: str, caplog: pytest.LogCaptureFixture
) -> None:
    pressed = Pressed()
    async with watching(pressed):
        for _ in range(5000):
            pressed.watch.press(key)
        await pressed.press("1", then=PAUSE_SECONDS + 0.1)
    assert pressed.keys == ["1"]
    assert pressed.noticed == 1, "who sends what is no key is not there for that"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "a key of the caller was dropped: not one of 0-9, *, # and A-D",
        "5000 keys dropped in this call: not one of 0-9, *, # and A-D",
    ]


async def test_a_flood_of_keys_is_cut_to_what_a_telephone_sends() -> None:
    pressed = Pressed()
    async with watching(pressed):
        for _ in range(10):
            for _ in range(500):
                pressed.watch.press("#")
            await asyncio.sleep(1)
    assert len(pressed.told) == BURST + round(9 * KEYS_PER_SECOND)
    assert pressed.noticed == len(pressed.told)


async def test_keys_without_an_end_reach_the_graph_all_the_same() -> None:
    pressed = Pressed()
    async with watching(pressed):
        await pressed.press("1" * BURST, then=0.1)
        assert pressed.keys == ["1" * BURST]


async def test_a_graph_that_is_slow_lets_no_keys_pile_up() -> None:
    pressed = Pressed()
    forever = asyncio.Event()

    async def hang(event: CallEvent) -> None:
        await forever.wait()

    pressed.watch = KeypadWatch(hang, lambda: True, pressed.events)
    async with watching(pressed):
        for _ in range(1000):
            await pressed.press("#", then=1)
    assert pressed.watch._pressed.qsize() <= BURST  # noqa: SLF001 - what is waiting is the fact


@given(st.lists(st.floats(0, 10), max_size=3000))
def test_no_rhythm_of_keys_gets_more_than_the_allowance(pauses: list[float]) -> None:
    allowance, now, taken = KeyAllowance(0.0), 0.0, 0
    for pause in pauses:
        now += pause
        taken += allowance.take(now)
        assert taken <= BURST + now * KEYS_PER_SECOND + 1e-6
    assert taken <= MOST_KEYS


def test_a_call_has_only_so_many_keys() -> None:
    allowance = KeyAllowance(0.0)
    assert sum(allowance.take(float(second)) for second in range(2 * MOST_KEYS)) == MOST_KEYS
