"""A caller who speaks over the goodbye, in a real room with real audio (P3).

Each call uses the real worker, recogniser and turn detection. The caller starts to speak at a fixed
time after the farewell's first sound.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from lastword.hangup.closers import is_closer
from lastword.providers.offline import espeak_tts
from lastword.settings import Settings
from lastword.testing.stage.caller_job import BreakIn, CallerLine
from lastword.testing.stage.stage import Plan, Stage, stage
from lastword.testing.stage.verdict import Verdict
from tests.fakes.farewell_graph import ANSWER, FAREWELL, SHORT_FAREWELL
from tests.fakes.second_voice import COUGH
from tests.fakes.standstill import on_a_steady_machine

GOODBYES = ("Bye bye.", "Thanks, you too.", COUGH)
REQUEST = "Oh wait, one more thing."
PLACES = ("beginning", "middle", "end", "tail")
ROUNDS = 2
AT_ONCE = 2
FIRST = "No thank you, goodbye."
"""The caller's first line, which the graph answers with its farewell."""
ROUGHLY = 0.2
"""Tolerance in seconds: without a closing tone, which would shift the places, the end of a farewell
cannot be measured exactly. ``test_calls`` uses the tone, and shows that no sample is lost."""
MISHEARD = 6
"""Number of calls in which the offline recogniser may mishear the caller, on a busy machine; such
calls are judged by the words that it recognised."""
CALLS = [(words, place) for words in (*GOODBYES, REQUEST) for place in PLACES] * ROUNDS
VOICE = "tests.fakes.second_voice:speak"


def begins(place: str) -> float:
    """Seconds from the farewell's first sound until the caller starts to speak."""
    length = len(espeak_tts.synthesize(FAREWELL)) / espeak_tts.SAMPLE_RATE
    return {"beginning": 0.2, "middle": length / 2, "end": length - 0.4, "tail": length + 0.1}[
        place
    ]


def plan(words: str, place: str) -> Plan:
    return Plan(
        [CallerLine(FIRST)],
        {"graph": "farewell"},
        [BreakIn(words, 2, begins(place))],
        VOICE,
    )


def turns(verdict: Verdict) -> list[dict[str, str]]:
    found: list[dict[str, str]] = yaml.safe_load(verdict.transcript.read_text())["turns"]
    return found


def is_goodbye(words: str, verdict: Verdict) -> bool:
    """Whether the text that was recognised for ``words`` is a closer."""
    heard = [turn.get("heard", "") for turn in turns(verdict) if turn.get("caller") == words]
    return is_closer(" ".join(heard), "en")


def faults(words: str, place: str, verdict: Verdict) -> list[str]:
    """What is wrong with a call, one sentence each; empty if nothing is."""
    spoken = [turn["agent"] for turn in turns(verdict) if "agent" in turn]
    whole = [text for text in spoken if text.split() == FAREWELL.split()]
    checks = {
        f"ended by {verdict.ended_by}: {verdict.reason}": verdict.ended_by == "graph",
        "room left": not verdict.room_left,
        f"{len(whole)} full goodbyes": len(whole) <= 1,
        f"the farewell is cut: {verdict.farewell}": verdict.farewell is not None
        and verdict.farewell.lost_at_end_s <= ROUGHLY,
    }
    if is_goodbye(words, verdict):
        checks[f"the call went on: {spoken}"] = len(spoken) == 2 and len(whole) == 1
    else:
        answered = len(spoken) == 3 and spoken[-1].split() == f"{ANSWER} {SHORT_FAREWELL}".split()
        checks[f"the request is not answered: {spoken}"] = answered
    call = verdict.transcript.read_text()
    return [f"{words} at the {place}: {what}\n{call}" for what, good in checks.items() if not good]


@dataclass
class Found:
    """The findings so far: faults, and lines that were misheard."""

    faults: list[str] = field(default_factory=list)
    misheard: list[str] = field(default_factory=list)


async def called(on_stage: Stage, words: str, place: str) -> Verdict:
    """Run a call."""
    return await on_a_steady_machine(
        lambda: on_stage.call(plan(words, place)),
        lambda verdict: not faults(words, place, verdict),
    )


async def make_calls(on_stage: Stage, calls: Iterator[tuple[str, str]], found: Found) -> None:
    """Run the remaining calls one after the other."""
    for words, place in calls:
        verdict = await called(on_stage, words, place)
        if not is_goodbye(FIRST, verdict):
            found.misheard.append(f"{FIRST} before {words}")
            continue
        found.faults += faults(words, place, verdict)
        if is_goodbye(words, verdict) != (words in GOODBYES):
            found.misheard.append(f"{words} at the {place}")


@pytest.mark.alone
@pytest.mark.timeout(900)
async def test_p3_only_a_new_request_keeps_the_call_whenever_it_is_said(
    tmp_path: Path,
) -> None:
    config = tmp_path / "langgraph.json"
    config.write_text(json.dumps({"graphs": {"farewell": "tests.fakes.farewell_graph:graph"}}))
    settings = Settings(providers="offline", calls_dir=tmp_path, graphs_config=config)
    calls, found = iter(CALLS), Found()
    async with (
        stage(settings, report=sys.stderr.write) as on_stage,
        asyncio.TaskGroup() as tasks,
    ):
        for _ in range(AT_ONCE):
            tasks.create_task(make_calls(on_stage, calls, found))
    assert found.faults == []
    assert len(CALLS) >= 30
    assert len(found.misheard) <= MISHEARD, f"misheard: {found.misheard}"
