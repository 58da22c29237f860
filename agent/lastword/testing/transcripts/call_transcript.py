"""A call that was had, written down so that it can be had again and edited into a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from lastword.private_files import private_file
from lastword.testing.wording import words_of
from lastword.untrusted.bounded_input import write_yaml

Entry = Mapping[str, Any]
_WORDS_BEFORE_A_CUT = 4
"""So many of the agent's last words say where the caller broke in."""


def write_transcript(
    path: Path,
    metadata: Mapping[str, Any],
    began: datetime,
    caller: Sequence[Entry],
    worker: Sequence[Entry],
) -> Path:
    """Write a call as a transcript.

    Args:
        path: of the file, which is the owner's alone; so is its folder, when it has to be made.
        metadata: the dispatch's.
        began: when, in local time; the graph's dates are those of that day.
        caller: what the caller's side reported; ``t`` is in seconds on the machine's clock.
        worker: the call's journal; ``at`` is in seconds on the same clock.

    Raises:
        UnwritableFile: it cannot be written.
    """
    ended = next(entry for entry in reversed(worker) if entry["event"] == "call_ended")
    content: dict[str, Any] = {
        "graph": metadata.get("graph"),
        "metadata": {key: value for key, value in metadata.items() if key != "graph"},
        "clock": f"{began:%Y-%m-%d %H:%M}",
        "turns": turns_of(caller, worker),
        "ended": {key: ended[key] for key in ("ended_by", "reason", "outcome")},
    }
    given = {key: value for key, value in content.items() if value is not None}
    with private_file(path) as file:
        file.write(write_yaml(given).encode())
    return path


def turns_of(caller: Sequence[Entry], worker: Sequence[Entry]) -> list[dict[str, Any]]:
    """The turns of a call, in the order in which they began."""
    turns: list[dict[str, Any]] = []
    for _, turn in sorted([*_of_caller(caller), *_of_worker(worker)], key=lambda pair: pair[0]):
        last = turns[-1] if turns else {}
        if "heard" in turn:
            if "caller" in last and "heard" not in last:
                last |= turn
            continue
        cut = last.pop("interrupted", False)
        if cut and "caller" in turn:
            turn["over"] = " ".join(last["agent"].split()[-_WORDS_BEFORE_A_CUT:])
        turns.append(turn)
    for turn in turns:
        turn.pop("interrupted", None)
    return turns


def _of_caller(entries: Sequence[Entry]) -> Iterator[tuple[float, dict[str, Any]]]:
    for entry in entries:
        if entry["event"] == "line_started" and entry["text"]:
            yield entry["t"], {"caller": entry["text"]}


def _of_worker(entries: Sequence[Entry]) -> Iterator[tuple[float, dict[str, Any]]]:
    for entry in entries:
        match entry:
            case {"event": "spoken", "seconds": seconds, "at": at}:
                turn = {"agent": entry["lk.pii.words"], "nodes": entry["nodes"]}
                yield (
                    at - seconds,
                    {**turn, **({"interrupted": True} if entry["interrupted"] else {})},
                )
            case {"event": "heard", "at": at} if words_of(entry["lk.pii.words"]):
                yield at, {"heard": entry["lk.pii.words"]}
            case {"event": "call_event", "kind": "silence", "seconds": seconds, "at": at}:
                yield at, {"silence": seconds}
            case {"event": "call_event", "kind": "limit_near", "seconds_left": left, "at": at}:
                yield at, {"limit_near": left}
            case {"event": "call_event", "kind": "keypad", "at": at}:
                yield at, {"keypad": entry["lk.pii.keys"]}
            case {"event": "ending", "source": "limit", "reason": "max_duration", "at": at}:
                yield at, {"time_up": True}
            case {"event": "ending", "source": "limit", "reason": "silence", "at": at}:
                yield at, {"silence": None}
            case {"event": "call_ended", "ended_by": "caller", "at": at}:
                yield at, {"hangs_up": True}
            case _:
                continue
