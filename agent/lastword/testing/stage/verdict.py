"""Judges a rehearsed call by what its caller received, and writes its transcript."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from rich.table import Table
from rich.text import Text

from lastword.events import Event
from lastword.terminal import SafeConsole
from lastword.testing.stage.ear import Heard, at_rate, heard
from lastword.testing.transcripts.call_transcript import write_transcript
from lastword.untrusted.printable import one_line

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class CallFacts:
    """What is known of a call that is over."""

    metadata: Mapping[str, Any]
    began: datetime
    """Local time."""
    caller: Sequence[Entry]
    worker: Sequence[Event]
    folder: Path
    speech: Path
    room_left: bool


@dataclass(frozen=True)
class Verdict:
    """How a rehearsed call went; times in seconds."""

    ended_by: str
    reason: str
    outcome: dict[str, Any] | None
    farewell: Heard | None
    """None when the agent said nothing in the turn that ended the call."""
    spoke: bool
    """Whether the agent said anything in that turn."""
    tail: float | None
    """From the end of the farewell's playout, as the worker sees it, to its hang-up."""
    line_gone_after: float | None
    """From the last sample of the farewell that the caller received to the line being gone."""
    room_left: bool
    transcript: Path
    recording: Path

    @property
    def good(self) -> bool:
        """Whether the graph ended the call, the farewell was heard whole, and the room is gone."""
        whole = self.farewell.lost_s == 0 if self.farewell else not self.spoke
        return self.ended_by == "graph" and whole and not self.room_left

    def show(self, console: SafeConsole) -> None:
        """Print the verdict."""
        style = "bold green" if self.good else "bold red"
        console.print()
        console.print(f"Call ended by {self.ended_by}: {one_line(self.reason)}", style=style)
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        for name, value in self.figures():
            table.add_row(f"  {name}", Text(one_line(value)))
        console.print(table)
        for name, path in (("transcript", self.transcript), ("recording", self.recording)):
            line = Text.assemble((f"  {name:29}", "dim"), f"  {one_line(path)}")
            console.print(line, soft_wrap=True)

    def figures(self) -> list[tuple[str, str]]:
        """Names and values of the figures, as text."""
        rows = []
        if self.outcome:
            rows.append(("outcome", json.dumps(self.outcome, ensure_ascii=False)))
        rows.append(("farewell heard by the caller", _farewell(self.farewell)))
        if self.tail is not None:
            rows.append(("tail", f"{self.tail:.2f} s"))
        if self.line_gone_after is not None:
            rows.append(("last sample heard → line gone", f"{self.line_gone_after:.2f} s"))
        rows.append(("room on the server", "still there" if self.room_left else "gone"))
        return rows


def judge(facts: CallFacts) -> Verdict:
    """Measure the farewell in the caller's recording and write the transcript."""
    ended = next(event for event in reversed(facts.worker) if event["event"] == "call_ended")
    recording = facts.folder / "recording.wav"
    spoke = farewell_was_spoken(facts.worker)
    measured = measure_farewell(facts.speech, recording) if spoke else None
    return Verdict(
        ended_by=ended["ended_by"],
        reason=ended["reason"],
        outcome=ended["outcome"],
        farewell=measured[0] if measured else None,
        spoke=spoke,
        tail=_tail(facts.worker),
        line_gone_after=measured[1] if measured else None,
        room_left=facts.room_left,
        transcript=write_transcript(
            facts.folder / "transcript.yaml",
            facts.metadata,
            facts.began,
            facts.caller,
            facts.worker,
        ),
        recording=recording,
    )


def measure_farewell(speech: Path, recording: Path) -> tuple[Heard, float | None] | None:
    """Compare the last utterance that the agent sent with the caller's recording.

    Returns None if nothing was sent; else what was heard, and the seconds from its last sample to
    the end of the recording, when the line was gone (None: nothing was heard).
    """
    utterances = sorted(speech.glob("utterance-*.wav"))
    if not utterances:
        return None
    sent, sent_rate = soundfile.read(utterances[-1], dtype="int16")
    both, rate = soundfile.read(recording, dtype="int16", always_2d=True)
    found = heard(at_rate(sent, sent_rate, rate), np.ascontiguousarray(both[:, 1]), rate)
    last = found.last_sample_s
    return found, None if last is None else len(both) / rate - last


def farewell_was_spoken(worker: Sequence[Event]) -> bool:
    """Whether the agent said something in the turn that carried the last ending."""
    names = [event["event"] for event in worker]
    if "ending" not in names:
        return "agent_said" in names
    return "agent_said" in names[len(names) - names[::-1].index("ending") :]


def _tail(worker: Sequence[Event]) -> float | None:
    times: dict[str, float] = {}
    for event in worker:
        times[event["event"]] = event["at"]
        if event["event"] == "ending_cancelled":
            times.clear()
    if "farewell_played" not in times:
        return None
    return times["hanging_up"] - times["farewell_played"]


def _farewell(farewell: Heard | None) -> str:
    if farewell is None:
        return "there was none"
    lost = f"{farewell.lost_s * 1000:.0f} ms lost"
    return f"{farewell.heard_s:.2f} s of {farewell.total_s:.2f} s ({lost})"
