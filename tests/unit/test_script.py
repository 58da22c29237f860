"""What a simulated caller does is found, and is a transcript's turns."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lastword.errors import ScriptError, SettingsError, TranscriptError
from lastword.settings import Settings
from lastword.testing.stage.caller_job import CallerLine
from lastword.testing.stage.script import acts_of, find_script, read_caller_settings
from lastword.testing.transcripts.transcript_file import read_transcript
from lastword.tools.rehearsal.command import Rehearsal, read_plan
from tests import PROJECT_ROOT

CALLERS = PROJECT_ROOT / "graphs/callers"


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
            read_transcript(find_script(name, "survey", None))


@pytest.mark.parametrize("name", ["x" * 9000, "a\0b", "\x1b[2J"])
def test_a_name_that_no_file_can_have_is_a_missing_script(name: str) -> None:
    with pytest.raises(ScriptError, match="there is no caller script '") as raised:
        find_script(name, "survey", CALLERS)
    assert len(str(raised.value)) < 400
    assert str(raised.value).isprintable()


def test_a_missing_script_lists_those_of_the_project() -> None:
    with pytest.raises(ScriptError, match="'no-such-script': give .*appointment, .*survey"):
        find_script("no-such-script", "survey", CALLERS)


def test_a_graph_without_a_script_says_so() -> None:
    with pytest.raises(ScriptError, match="no caller script for the graph 'booking': give a YAML"):
        find_script(None, "booking", CALLERS)


def test_a_project_without_scripts_is_told_what_to_do() -> None:
    with pytest.raises(ScriptError, match=r"for the graph 'booking': give --script FILE, a YAML"):
        find_script(None, "booking", None)


def test_a_graph_has_a_script_of_its_own_name() -> None:
    assert find_script(None, "reception", CALLERS) == CALLERS / "reception.yaml"


def test_callers_are_found_beside_langgraph_json_from_any_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir("/")
    found = read_caller_settings(PROJECT_ROOT / "langgraph.json")
    assert found.scripts == CALLERS
    assert found.lines == CALLERS / "lines"
    assert found.repeat_when == "say that again"


def test_a_pattern_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.lastword.call]\nrepeat_when = "("')
    with pytest.raises(SettingsError, match=r"repeat_when .*is not a regular expression"):
        read_caller_settings(tmp_path / "langgraph.json")


def test_the_first_graph_of_the_project_is_called_with_its_own_script() -> None:
    plan = read_plan(Rehearsal(Settings(graphs_config=PROJECT_ROOT / "langgraph.json")))
    assert plan.metadata["graph"] == "appointment"
