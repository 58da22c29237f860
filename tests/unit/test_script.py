"""What a simulated caller does is found, and is a transcript's turns."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import ScriptError
from agent.rehearsal.caller_job import CallerLine
from agent.rehearsal.script import acts_of, find_script
from agent.transcripts.transcript_file import read_transcript


def test_a_transcripts_turns_are_what_the_caller_does(tmp_path: Path) -> None:
    path = tmp_path / "call.yaml"
    path.write_text("""
turns:
- agent: Hello there.
- caller: Hello.
  over: there
- silence: 5
- keypad: 12#
- voicemail: Please leave a message.
- hangs_up: true
""")
    assert acts_of(read_transcript(path)) == [
        CallerLine("Hello.", over="there"),
        CallerLine(does="listen"),
        CallerLine(does="press", keys="12#"),
        CallerLine(does="hang_up"),
    ]


def test_a_missing_script_lists_the_bundled_ones() -> None:
    with pytest.raises(ScriptError, match="appointment, .*survey"):
        find_script("no-such-script", None)


def test_a_graph_without_a_script_says_so() -> None:
    with pytest.raises(ScriptError, match="no caller script for the graph 'booking'; give a YAML"):
        find_script(None, "booking")


def test_a_graph_has_a_script_of_its_own_name() -> None:
    assert find_script(None, "reception").name == "reception.yaml"
    assert find_script(None, None).name == "appointment.yaml"
