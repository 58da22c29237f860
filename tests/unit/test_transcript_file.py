"""A transcript is read, or refused with file, line and field; a call that was had is one again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lastword.errors import TranscriptError
from lastword.events import Event
from lastword.testing.transcripts.call_transcript import write_transcript
from lastword.testing.transcripts.transcript import AgentTurn, CallerSays, Ended, HangsUp, Silence
from lastword.testing.transcripts.transcript_file import read_transcript
from tests.fakes.an_event import an_event


def written(folder: Path, text: str) -> Path:
    path = folder / "call.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_turns_are_read_in_order_with_their_lines(tmp_path: Path) -> None:
    text = """graph: survey
clock: 2026-11-23 09:00
turns:
  - agent: "Hello, ..."
    says: there
    ended: {reason: declined}
  - caller: no
    over: hello
  - silence:
  - hangs_up: true
"""
    found = read_transcript(written(tmp_path, text))
    assert [(type(turn), turn.line) for turn in found.turns] == [
        (AgentTurn, 4),
        (CallerSays, 7),
        (Silence, 9),
        (HangsUp, 10),
    ]
    assert found.turns[0] == AgentTurn(
        line=4, agent="Hello, ...", says=["there"], ended=Ended(reason="declined")
    )
    assert found.caller_lines == ["no"], '"no" is a word, not YAML\'s idea of false'
    assert found.clock == datetime(2026, 11, 23, 9)


def test_what_must_hold_may_stand_below_agent_or_beside_it(tmp_path: Path) -> None:
    text = (
        "turns:\n- agent:\n    says: there\n    open: true\n- agent:\n  says: there\n  open: true"
    )
    below, beside = read_transcript(written(tmp_path, text)).turns
    assert below.model_copy(update={"line": 5}) == beside


MISTAKES = [
    ("turns: [", 1, "is not YAML"),
    ("- caller: hi", 1, "has no fields"),
    ("turnss: []", 1, "unknown field 'turnss' (did you mean 'turns'?)"),
    ("graph: survey", 1, "`turns` must be a list"),
    ("turns: hello", 1, "`turns` must be a list"),
    ("turns:\n- caller: hi\n- caler: bye", 3, "(did you mean 'caller'?)"),
    ("turns:\n- hello", 2, "a turn must be `caller: words`, not 'hello'"),
    ("turns:\n- caller: ''", 2, "`caller`: has no words"),
    (
        "turns:\n- caller: hi\n  heard: ''",
        3,
        "`heard`: has no words; for a caller who is not recognised",
    ),
    ("turns:\n- agent: hi\n  interrupted: true", 3, "unknown field 'interrupted'"),
    ("turns:\n- caller: 5", 2, "`caller`: must be words; put them in quotes, not 5"),
    ("turns:\n- caller: hi\n  agent: ho", 2, "`caller` and `agent` must be two turns"),
    ("turns:\n- agent: hi\n  sais: x", 3, "unknown field 'sais' (did you mean 'says'?)"),
    ("turns:\n- agent: {sais: x}", 2, "unknown field 'sais' (did you mean 'says'?)"),
    ("turns:\n- agent: hi\n  ended: {reson: x}", 3, "`ended.reson`: there is no such field here"),
    ("turns:\n- agent: hi\n  ended: {ended_by: me}", 3, "`ended.ended_by`: input should be"),
    ("turns:\n- agent: hi\n  at_most:\n    words: -1", 4, "`at_most.words`: input should be"),
    ("turns:\n- agent: hi\n  model: [{call: {}}]", 3, "`model.call`: there is no such field"),
    ("turns:\n- agent: hi\n  matches: '('", 3, "'(' is not a regular expression"),
    ("turns:\n- agent: hi\n  open: true\n  ended: true", 2, "contradict each other"),
    ("turns:\n- keypad: '7x'", 2, "`keypad`: string should match"),
    ("graph: 7\nturns: []", 1, "`graph`: must be words"),
    ("turns: []\nmetadata: x", 2, "`metadata`: must be a mapping"),
    ("turns: []\nclock: soon", 2, "`clock`: must be like \"2026-11-23 09:00\", not 'soon'"),
    ("turns: []\nclock: 9:00", 2, "`clock`: must be like"),
    ("turns: []\nclock: 20261121", 2, "`clock`: must be like"),
    ("turns: []\nclock: 0001-01-01", 2, "`clock`: must be like"),
    ("turns: []\nlevels: []", 2, "`levels`: must not be empty"),
    ("turns: []\nmarks: _x", 2, "`marks`: string should match"),
    ("turns: []\nended:", 2, "`ended`: has no value"),
    ("turns: []\nturns: []", 2, "`turns` appears twice"),
    ("turns:\n- agent: hi\n  says: a\n  says: b", 4, "`says` appears twice"),
    ("turns:\n- agent: hi\n  nodes:", 3, "`nodes`: has no value"),
    ("turns:\n- agent: hi\n  says: '!'", 3, "`says`: '!' has no words in it"),
    ("turns:\n- agent: hi\n  ended: {after: ...}", 3, "`ended.after`: '...' has no words"),
    ("turns:\n- caller: hi\n  over: ''", 3, "`over`: '' has no words in it"),
    ("turns:\n- agent: hi\n  tools: [{a: {}, b: {}}]", 3, "`tools`: must name one tool only"),
    ("turns:\n- agent: hi\n  tools: [{}]", 3, "`tools`: must not be empty"),
    ("turns: []\nlevels: [moon]", 2, "`levels`: input should be 'graph'"),
    ("turns:\n- agent: hi\n  matches: (a{99}){99999}", 3, "repeats too much"),
    ("turns:\n- agent: hi\n  matches: " + "a" * 9000, 3, "is longer than 500 characters"),
    ("turns: &a\n- caller: hi\nended: *a", 3, "has the alias '*a'; write the value out"),
    ("turns:\n- caller: hi\n- <<: {caller: ho}", 3, "has the merge key `<<`"),
    ("turns: []\nmetadata: {a: !!binary aGk=}", 2, "has the tag 'tag:yaml.org,2002:binary'"),
    ("turns: []\nmetadata: " + "[" * 90_000, 2, "is nested too deeply"),
    ('turns:\n- caller: "\\e[2J"', 2, "has the character U+001B"),
    ('turns:\n- caller: "\\ud800"', 2, "is not YAML"),
    ("turns:\n- silence: " + "1" * 5000, 2, "`silence`: input should be less than"),
    ("turns:\n- silence: 1.0e+300", 2, "`silence`: input should be less than or equal to 86400"),
    ("turns:\n- silence: 1.0e+999", 2, "which does not fit into 64 bits"),
    ("turns: []\nclock: 9999-12-31", 2, "`clock`: must be like"),
    ("turns: []\n" + "x" * 900 + ": 1", 2, "unknown field 'xxx"),
    ("turns: " + "x" * 90_000, 1, "`turns` must be a list"),
    ("turns:\n- " + "x" * 90_000, 2, "a turn must be `caller: words`"),
    ("turns:\n- agent: hi\n  model: {" + "x" * 900 + ": 1}", 3, "there is no such field here"),
    ('turns: []\nended: {"a\\nb": 1}', 2, "`ended.a\\nb`: there is no such field here"),
    ("turns: []\nended: maybe", 2, "`ended`: must be true or false, not 'maybe'"),
]


@pytest.mark.parametrize(("text", "line", "why"), MISTAKES)
def test_a_mistake_is_named_with_file_line_and_field(
    tmp_path: Path, text: str, line: int, why: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(TranscriptError) as raised:
        read_transcript(path)
    assert str(raised.value).startswith(f"{path}:{line}: ")
    assert why in str(raised.value)
    assert len(str(raised.value)) < len(str(path)) + 300


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"turns: []\n# \xff", ":2: cannot be read: it is not UTF-8"), (b" " * 2**19, "256 KiB")],
)
def test_a_file_that_is_no_transcript_by_far_is_refused(
    tmp_path: Path, content: bytes, why: str
) -> None:
    path = tmp_path / "call.yaml"
    path.write_bytes(content)
    with pytest.raises(TranscriptError, match=why):
        read_transcript(path)


def test_thousands_of_turns_are_read_at_once(tmp_path: Path) -> None:
    text = "turns:\n" + "- hangs_up: true\n" * 15_000
    assert read_transcript(written(tmp_path, text)).turns[-1].line == 15_001


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match="there is no such file"):
        read_transcript(tmp_path / "none.yaml")


def test_a_file_of_an_editor_that_marks_its_encoding_is_read(tmp_path: Path) -> None:
    path = tmp_path / "call.yaml"
    path.write_text("turns: [{caller: Grüße}]", encoding="utf-8-sig")
    assert read_transcript(path).caller_lines == ["Grüße"]


def spoken(at: float, words: str, **fields: Any) -> Event:
    return an_event("agent_said", at, words=words, **{"nodes": ["talk"], "seconds": 1.0, **fields})


def test_a_call_that_was_had_is_a_transcript(tmp_path: Path) -> None:
    caller = [
        {"event": "joined", "t": 0.0},
        {"event": "line_started", "t": 3.0, "text": "Hello."},
        {"event": "line_started", "t": 6.0, "text": "Oh wait."},
    ]
    worker = [
        spoken(2.0, "Good day."),
        an_event("caller_said", 4.0, words="hello"),
        spoken(6.5, "Thank you, and goodbye, dear Anna", interrupted=True, seconds=1.5),
        an_event("caller_said", 7.0, words="oh wait"),
        an_event("caller_said", 7.2, words=""),
        spoken(9.0, "Yes?"),
        an_event("graph_told", 19.0, kind="silence", told={"kind": "silence", "seconds": 10.0}),
        an_event("graph_told", 20.0, kind="keypad", told={"kind": "keypad", "keys": "1#"}),
        an_event("call_ended", 21.0, ended_by="caller", reason="caller_hung_up"),
    ]
    began = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    path = write_transcript(tmp_path / "a" / "call.yaml", {"graph": "x"}, began, caller, worker)
    found = read_transcript(path)
    assert [turn.model_dump(exclude_defaults=True, exclude={"line"}) for turn in found.turns] == [
        {"agent": "Good day.", "nodes": ["talk"]},
        {"caller": "Hello.", "heard": "hello"},
        {"agent": "Thank you, and goodbye, dear Anna", "nodes": ["talk"]},
        {"caller": "Oh wait.", "heard": "oh wait", "over": "and goodbye, dear Anna"},
        {"agent": "Yes?", "nodes": ["talk"]},
        {},
        {"keypad": "1#"},
        {"hangs_up": True},
    ]
    assert found.ended == Ended(ended_by="caller", reason="caller_hung_up")
    assert (found.graph, found.clock) == ("x", datetime(2026, 11, 21, 9, 30))


def test_values_that_a_call_has_twice_are_written_out(tmp_path: Path) -> None:
    order = {"id": 7, "share": 1e-7, "big": 2**63}
    end = an_event("call_ended", 1.0, ended_by="graph", reason="x", outcome=order)
    began = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    path = write_transcript(tmp_path / "call.yaml", {"a": order, "b": order}, began, [], [end])
    found = read_transcript(path)
    assert found.metadata == {"a": order, "b": order}
    assert found.ended == Ended(ended_by="graph", reason="x", outcome=order)


TURNS = """turns:
- agent: {says: [a], tools: [{a: {b: 1}}], at_most: {words: 3}, model: [{calls: {x: {}}}]}
- caller: Hello there.
  over: hello
- silence: 5
metadata: {direction: outbound}
ended: {reason: x, outcome: {id: 1}}
"""
PIECES = (
    *("&a ", "*a", "<<: ", "!!int ", "? ", ": ", "- ", "[", "]" * 9, "{" * 70, "'", '"', "\\ud800"),
    *("\0", "\x1b", "\n", "\t", "|", "#", "---\n", "1.5e+999", "null", "turns", "é", "1" * 40),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, len(TURNS)), st.sampled_from(PIECES)), min_size=1, max_size=6)
)
def test_whatever_is_written_is_a_transcript_or_one_sentence(
    tmp_path: Path, changes: list[tuple[int, str]]
) -> None:
    text = TURNS
    for at, piece in changes:
        text = text[:at] + piece + text[at:]
    path = written(tmp_path, text)
    try:
        read_transcript(path)
    except TranscriptError as error:
        assert str(error).isprintable()  # noqa: PT017 - some are read
        assert len(str(error)) < len(str(path)) + 500  # noqa: PT017
