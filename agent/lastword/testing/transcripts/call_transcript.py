"""Writes a recorded call as a transcript, which can be replayed and edited into a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from lastword.events import Event
from lastword.private_files import private_file
from lastword.testing.wording import words_of
from lastword.untrusted.bounded_input import write_yaml

Entry = Mapping[str, Any]
_LIMITS: Mapping[str, dict[str, Any]] = {
    "max_duration": {"time_up": True},
    "silence": {"silence": None},
}
"""The turn for each limit that ends a call, by the ending's reason."""
_WORDS_BEFORE_A_CUT = 4
"""Number of the agent's last words that mark where the caller interrupted."""


def write_transcript(
    path: Path,
    metadata: Mapping[str, Any],
    began: datetime,
    caller: Sequence[Entry],
    worker: Sequence[Event],
) -> Path:
    """Write a call as a transcript.

    Args:
        path: the path of the file. Only its owner can read the file, and its folder if the folder
            is created here.
        metadata: the metadata of the dispatch.
        began: the start of the call in local time; it becomes the clock of the transcript.
        caller: what the caller's side reported; ``t`` is in seconds on the machine's monotonic
            clock.
        worker: the call's events; ``at`` is in seconds on the same clock.

    Raises:
        UnwritableFile: the file cannot be written.
    """
    ended = next(event for event in reversed(worker) if event["event"] == "call_ended")
    content: dict[str, Any] = {
        "graph": metadata.get("graph"),
        "metadata": {key: value for key, value in metadata.items() if key != "graph"},
        "clock": f"{began:%Y-%m-%d %H:%M}",
        "turns": turns_of(caller, worker),
        "ended": {
            "ended_by": ended["ended_by"],
            "reason": ended["reason"],
            "outcome": ended["outcome"],
        },
    }
    given = {key: value for key, value in content.items() if value is not None}
    with private_file(path) as file:
        file.write(write_yaml(given).encode())
    return path


def turns_of(caller: Sequence[Entry], worker: Sequence[Event]) -> list[dict[str, Any]]:
    """Return the turns of a call, in the order of their start."""
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


def _of_worker(events: Sequence[Event]) -> Iterator[tuple[float, dict[str, Any]]]:
    for event in events:
        at = event["at"]
        match event["event"]:
            case "agent_said":
                turn = {"agent": event["words"], "nodes": event["nodes"]}
                cut = {"interrupted": True} if event["interrupted"] else {}
                yield at - event["seconds"], {**turn, **cut}
            case "caller_said":
                if words_of(event["words"]):
                    yield at, {"heard": event["words"]}
            case "graph_told":
                yield from ((at, turn) for turn in _told(event["told"]))
            case "ending":
                if event["source"] == "limit" and event["reason"] in _LIMITS:
                    yield at, dict(_LIMITS[event["reason"]])
            case "call_ended":
                if event["ended_by"] == "caller":
                    yield at, {"hangs_up": True}
            case _:
                continue


def _told(event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the turn for a call event; nothing for a kind that transcripts do not have."""
    match event:
        case {"kind": "silence", "seconds": seconds}:
            yield {"silence": seconds}
        case {"kind": "limit_near", "seconds_left": seconds}:
            yield {"limit_near": seconds}
        case {"kind": "keypad", "keys": keys}:
            yield {"keypad": keys}
