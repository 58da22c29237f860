"""``lastword replay``: a conversation before one's eyes (P10)."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from lastword.errors import LastwordError
from lastword.settings import Settings
from lastword.terminal import SafeConsole
from lastword.testing.transcripts.transcript import Level
from lastword.tools.replay.command import ReplayRequest, replay_file
from tests import PROJECT_ROOT
from tests.fakes.forked_pytest import Ran
from tests.fakes.shop_project import command

CONFIRMED = PROJECT_ROOT / "tests" / "conversations" / "appointment" / "confirmed.yaml"


def replay(*arguments: str | Path) -> Ran:
    return command(PROJECT_ROOT, "-m", "lastword", "replay", *map(str, arguments))


@pytest.mark.parametrize("level", ["graph", "session"])
def test_p10_a_conversation_is_shown_as_a_call_is(level: str) -> None:
    ran = replay(CONFIRMED, "--level", level)
    assert ran.code == 0
    shown = " ".join(ran.printed.split())
    assert "0.0 s line the caller has dialled in" in shown
    assert re.search(r"\d s caller Yes, that works for me.", shown)
    assert "understand → confirm → end" in shown
    assert "graph ends the call: confirmed (node)" in shown
    assert shown.endswith(f"As written (level {level}).")


def test_p10_what_is_not_as_written_is_named_with_a_diff(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(CONFIRMED.read_text().replace("reason: confirmed", "reason: cancelled"))
    ran = replay(path)
    assert ran.code == 1
    assert "ended.reason: the call has another reason" in ran.printed
    assert "- cancelled" in ran.printed
    assert "+ confirmed" in ran.printed


@pytest.mark.parametrize(
    ("text", "level", "graph", "sentence"),
    [
        (None, "graph", None, "there is no such file"),
        ("turns: hello", "graph", None, "`turns` must be a list"),
        ("levels: graph\nturns: []", "session", None, "is not for the level session"),
        ("graph: booking\nturns: []", "graph", None, "there is no graph 'booking' in"),
        ("turns: []", "graph", "booking", "there is no graph 'booking' in langgraph.json"),
        ("metadata: {direction: up}\nturns: []", "graph", None, "which is none of inbound"),
        ("turns:\n- voicemail: Hi", "room", None, "a room has no answering machine"),
    ],
)
async def test_a_mistake_is_one_sentence(
    tmp_path: Path, text: str | None, level: Level, graph: str | None, sentence: str
) -> None:
    path = tmp_path / "call.yaml"
    if text is not None:
        await asyncio.to_thread(path.write_text, text)
    settings = Settings(graphs_config=PROJECT_ROOT / "langgraph.json")
    with pytest.raises(LastwordError, match=re.escape(sentence)) as raised:
        await replay_file(ReplayRequest(path, level, graph), settings, SafeConsole(quiet=True))
    assert "\n" not in str(raised.value)


def test_p10_a_pattern_that_tries_everything_ends_the_replay_with_a_sentence(
    tmp_path: Path,
) -> None:
    path = tmp_path / "slow.yaml"
    slow = "    matches: '^(\\w|\\w\\w|[ ,.?])*[^?]$'\n    nodes: greet\n"
    path.write_text(CONFIRMED.read_text().replace("    nodes: greet\n", slow))
    ran = replay(path)
    assert ran.code == 1
    assert "takes more than 1 s: write it without nested repeats" in " ".join(ran.printed.split())
