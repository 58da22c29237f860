"""A conversation in which something happens that no caller can say."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from graphs.store import Store
from lastword.testing import Conversations


async def test_somebody_else_takes_the_slot_while_it_is_read_back(
    lastword_conversation: Conversations, tmp_path: Path
) -> None:
    path = tmp_path / "store.sqlite3"
    async with lastword_conversation(
        "appointment",
        metadata={"direction": "outbound", "customer": "Anna Lindt"},
        clock=datetime(2026, 11, 21, 9),
        context={"store_path": str(path)},
    ) as call:
        await call.says("Yes, this is Anna.")
        await call.says("No, I need another day.")
        await call.says("The first one, please.")
        slot = (call.replies[-1].state or {})["chosen"]
        await Store(path).move_appointment(2, slot)
        await call.says("Yes, please do that.")
        call.expect_says("I can offer you")
        call.expect_open()
        assert slot not in (call.replies[-1].state or {})["offered"]
        await call.says("The first one, please.")
        await call.says("Yes, please do that.")
        call.expect_ended(reason="rescheduled", after="Goodbye")
