"""Keys that are pressed in one go reach the graph as one event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agent.conversations.kept_journal import KeptJournal
from agent.keypad import PAUSE_SECONDS, KeypadWatch
from graphs.call_signals import CallEvent

pytestmark = pytest.mark.looptime


class Pressed:
    """A watch, and what it has told the graph."""

    def __init__(self, *, is_talking: bool = True, breaks: bool = False) -> None:
        self.told: list[CallEvent] = []
        self.breaks = breaks
        self.journal = KeptJournal()
        self.watch = KeypadWatch(self.tell, lambda: is_talking, self.journal)

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
    assert [event["keys"] for event in pressed.told if event["kind"] == "keypad"] == ["12", "3"]
    assert pressed.journal.events == ["call_event", "call_event"]


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
