"""What a simulated caller does is found, and is a transcript's turns."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lastword.errors import ScriptError, TranscriptError
from lastword.testing.stage.caller_job import CallerLine
from lastword.testing.stage.script import acts_of, find_script
from lastword.testing.transcripts.transcript_file import read_transcript


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


def test_a_pipe_or_a_device_is_no_script(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in (str(tmp_path / "pipe"), "/dev/zero"):
        with pytest.raises(TranscriptError, match="is not a regular file"):
            read_transcript(find_script(name, None))


@pytest.mark.parametrize("name", ["x" * 9000, "a\0b", "\x1b[2J"])
def test_a_name_that_no_file_can_have_is_a_missing_script(name: str) -> None:
    with pytest.raises(ScriptError, match="there is no caller script '") as raised:
        find_script(name, None)
    assert len(str(raised.value)) < 400
    assert str(raised.value).isprintable()


def test_a_missing_script_lists_the_bundled_ones() -> None:
    with pytest.raises(ScriptError, match="appointment, .*survey"):
        find_script("no-such-script", None)


def test_a_graph_without_a_script_says_so() -> None:
    with pytest.raises(ScriptError, match="no caller script for the graph 'booking'; give a YAML"):
        find_script(None, "booking")


def test_a_graph_has_a_script_of_its_own_name() -> None:
    assert find_script(None, "reception").name == "reception.yaml"
    assert find_script(None, None).name == "appointment.yaml"
