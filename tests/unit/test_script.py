"""A caller script is read, or refused with the file and the field."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import ScriptError
from agent.rehearsal.script import find_script, read_script


def script(folder: Path, text: str) -> Path:
    path = folder / "caller.yaml"
    path.write_text(text)
    return path


def test_the_callers_lines_are_read_in_order(tmp_path: Path) -> None:
    path = script(tmp_path, "graph: survey\nturns:\n- caller: ' Hello. '\n- caller: Bye.\n")
    found = read_script(path)
    assert (found.graph, found.lines) == ("survey", ["Hello.", "Bye."])


def test_the_transcript_of_a_call_is_a_script_again(tmp_path: Path) -> None:
    text = """
graph: survey
metadata: {direction: outbound}
turns:
- agent: Hello there.
  nodes: [talk]
- caller: Hello.
  heard: hello
ended: {ended_by: graph, reason: completed, outcome: null}
"""
    found = read_script(script(tmp_path, text))
    assert (found.lines, found.metadata) == (["Hello."], {"direction": "outbound"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("turns: [", "is not YAML"),
        ("- caller: hi", "has no fields"),
        ("turnss: []", "unknown field 'turnss'"),
        ("turns: hello", "`turns` must be a list"),
        ("turns:\n- caller: hi\n- caler: bye", "turn 2 must be `caller: words`"),
        ("turns:\n- caller: ''", "turn 1 must be"),
        ("graph: 7\nturns: []", "`graph` must be a name"),
        ("metadata: x\nturns: []", "`metadata` must be a mapping"),
    ],
)
def test_a_mistake_names_the_file_and_the_field(tmp_path: Path, text: str, why: str) -> None:
    path = script(tmp_path, text)
    with pytest.raises(ScriptError) as raised:
        read_script(path)
    assert why in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_missing_script_lists_the_bundled_ones() -> None:
    with pytest.raises(ScriptError, match="appointment, .*survey"):
        find_script("no-such-script", None)


def test_a_graph_without_a_script_says_so() -> None:
    with pytest.raises(ScriptError, match="no caller script for the graph 'booking'; give a YAML"):
        find_script(None, "booking")


def test_a_graph_has_a_script_of_its_own_name() -> None:
    assert find_script(None, "reception").name == "reception.yaml"
    assert find_script(None, None).name == "appointment.yaml"
