"""Shows a replayed conversation as ``lastword call`` shows a call."""

from __future__ import annotations

import asyncio

from rich.text import Text

from lastword.events import AgentSaid, CallerSaid, CallMoment, EndingDecided
from lastword.terminal import SafeConsole
from lastword.testing.replay import Played, Replayed
from lastword.testing.reply import End, Reply
from lastword.testing.script_view import told
from lastword.testing.stage.view import CallView
from lastword.testing.transcripts.transcript import CallerSays, Silence
from lastword.untrusted.printable import lines_of, one_line

WORD_SECONDS = 0.35
"""Seconds per spoken word: about 170 words a minute, the speed of the offline voices."""


class ReplayView:
    """Prints a conversation exchange by exchange.

    Args:
        console: where to print.
        in_real_time: take as long as speaking the words would take.
    """

    def __init__(self, console: SafeConsole, *, in_real_time: bool) -> None:
        self._view = CallView(console)
        self._in_real_time = in_real_time
        self._now = 0.0
        self._view.caller({"event": "joined", "t": 0.0})

    async def show(self, played: Played) -> None:
        """Show an exchange."""
        trigger = played.exchange.trigger
        if isinstance(trigger, CallerSays):
            await self._caller_said(trigger)
        elif trigger is not None:
            self._view.line(self._now, told(trigger)[1])
            silence = trigger.silence if isinstance(trigger, Silence) else 0.0
            await self._pass(silence)
        if played.reply.said or played.reply.nodes:
            await self._agent_said(played.reply)
        if played.reply.end is not None:
            self._ending(played.reply.end, is_over=played.reply.is_over)

    async def _caller_said(self, turn: CallerSays) -> None:
        line = {"event": "line_started", "t": self._now, "text": told(turn)[1]}
        self._view.caller(line)
        await self._pass(_speaking_seconds(turn.caller))
        if turn.heard is not None:
            moment = self._moment()
            self._view.worker(
                CallerSaid(event="caller_said", **moment, words=turn.heard, metrics={})
            )

    async def _agent_said(self, reply: Reply) -> None:
        seconds = _speaking_seconds(reply.said)
        said = AgentSaid(
            event="agent_said",
            **self._moment(seconds),
            words=reply.said,
            nodes=reply.nodes,
            interrupted=False,
            seconds=seconds,
            metrics={"llm_node_ttft": reply.seconds},
        )
        self._view.worker(said)
        await self._pass(seconds)

    def _ending(self, end: End, *, is_over: bool) -> None:
        ending = EndingDecided(
            event="ending",
            **self._moment(),
            phase="ending",
            why="",
            ended_by=end.ended_by,
            reason=end.reason,
            outcome=end.outcome,
            source=end.source or end.ended_by,
        )
        self._view.worker(ending)
        if is_over:
            self._view.line(self._now, f"hanging up, ended by {end.ended_by}")

    def _moment(self, later: float = 0.0) -> CallMoment:
        """A moment of the replayed call, which has a monotonic time only."""
        return CallMoment(call="", time="", at=self._now + later)

    async def _pass(self, seconds: float) -> None:
        """Advance the replayed time by ``seconds``; in real time, wait for them too."""
        self._now += seconds
        if self._in_real_time:
            await asyncio.sleep(seconds)


def _speaking_seconds(words: str) -> float:
    return len(words.split()) * WORD_SECONDS


def _show_forgotten(done: Replayed, console: SafeConsole) -> None:
    forgotten = [one for played in done.played for one in played.reply.forgotten]
    if forgotten:
        console.print(Text("\nSpoken but in no message:", style="bold yellow"))
    for one in forgotten:
        console.print(f"  {one_line(str(one))}", soft_wrap=True)


def show_verdict(done: Replayed, console: SafeConsole) -> None:
    """Print whether the conversation matches the transcript, and the faults if not."""
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
