"""Shows a replayed conversation as ``make call`` shows a call."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from lastword.terminal import SafeConsole
from lastword.testing.replay import Played, Replayed
from lastword.testing.script_view import told
from lastword.testing.stage.view import CallView
from lastword.testing.transcripts.transcript import (
    CallerSays,
    Keypad,
    LimitNear,
    Silence,
    TimeUp,
    Voicemail,
)
from lastword.untrusted.printable import lines_of, one_line

WORD_SECONDS = 0.35
"""How long a word takes: about 170 words a minute, as offline voices speak."""

Entry = Mapping[str, Any]


class ReplayView:
    """Prints a conversation exchange by exchange.

    Args:
        console: where to.
        in_real_time: take as long as the words would.
    """

    def __init__(self, console: SafeConsole, *, in_real_time: bool) -> None:
        self._view = CallView(console)
        self._in_real_time = in_real_time
        self._now = 0.0
        self._view.caller({"event": "joined", "t": 0.0})

    async def show(self, played: Played) -> None:
        """Show an exchange."""
        for entry, seconds in self._entries(played):
            if "t" in entry:
                self._view.caller(entry)
            else:
                self._view.worker(entry)
            self._now += seconds
            if self._in_real_time:
                await asyncio.sleep(seconds)

    def _entries(self, played: Played) -> Iterator[tuple[Entry, float]]:
        """The journal's entries that a call would have written, and how long each takes."""
        reply, trigger = played.reply, played.exchange.trigger
        match trigger:
            case CallerSays(caller=words):
                yield (
                    {"event": "line_started", "t": self._now, "text": told(trigger)[1]},
                    _spoken(words),
                )
                if trigger.heard is not None:
                    heard = {"event": "heard", "lk.pii.words": trigger.heard, "metrics": {}}
                    yield {**heard, "at": self._now}, 0.0
            case Silence() | LimitNear() | TimeUp() | Voicemail() | Keypad():
                seconds = trigger.silence if isinstance(trigger, Silence) else 0.0
                yield {"event": "happened", "at": self._now, "what": told(trigger)[1]}, seconds
            case None:
                pass
            case _:
                yield {"event": "happened", "at": self._now, "what": told(trigger)[1]}, 0.0
        if reply.said or reply.nodes:
            seconds = _spoken(reply.said)
            yield {**_said(played, seconds), "at": self._now + seconds}, seconds
        if reply.end is not None:
            end = {"ended_by": reply.end.ended_by, "reason": reply.end.reason}
            source = reply.end.source or reply.end.ended_by
            yield {"event": "ending", "at": self._now, "source": source, **end}, 0.0
            if reply.is_over:
                yield {"event": "hanging_up", "at": self._now, **end}, 0.0


def _spoken(words: str) -> float:
    return len(words.split()) * WORD_SECONDS


def _said(played: Played, seconds: float) -> dict[str, Any]:
    return {
        "event": "spoken",
        "lk.pii.words": played.reply.said,
        "nodes": played.reply.nodes,
        "interrupted": False,
        "seconds": seconds,
        "metrics": {"llm_node_ttft": played.reply.seconds},
    }


def _show_forgotten(done: Replayed, console: SafeConsole) -> None:
    forgotten = [one for played in done.played for one in played.reply.forgotten]
    if forgotten:
        console.print(Text("\nSpoken but in no message:", style="bold yellow"))
    for one in forgotten:
        console.print(f"  {one_line(str(one))}", soft_wrap=True)


def show_verdict(done: Replayed, console: SafeConsole) -> None:
    """Print whether the conversation went as it is written, and what is wrong if not."""
    _show_forgotten(done, console)
    if done.passed:
        console.print(Text.assemble("\n", ("As written", "bold green"), f" (level {done.level})."))
        return
    console.print(Text.assemble("\n", ("Not as written", "bold red"), f" (level {done.level}):"))
    for fault in done.faults:
        where = f"{done.transcript.path}:{fault.line}"
        first, *more = lines_of(fault.why)
        console.print(f"  {one_line(f'{where}: {fault.field}')}: {first}", soft_wrap=True)
        for line in [*more, *fault.diff()]:
            console.print(f"      {line}", soft_wrap=True)
