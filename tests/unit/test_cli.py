"""A mistake of the user's is one clear sentence and a non-zero exit, never a traceback."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lastword.cli import main
from lastword.errors import AudioDeviceMissing
from lastword.tools.talk import check_audio_devices
from tests.fakes.hostile import ALL, steers


def lastword(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str]:
    """Run the command; returns its exit code and what it wrote to standard error."""
    monkeypatch.setattr(sys, "argv", ["lastword", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(exit_.value.code or 0), capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["call", "--graph", "survye"], "there is no graph 'survye' in langgraph.json"),
        (["call", "--script", "README.md"], "README.md:4: is not YAML: mapping values are not"),
        (["call", "--graph", "x", "--script", "survey"], "there is no graph 'x' in langgraph.json"),
        (["call", "--metadata", "{graph"], "the dispatch metadata is not JSON"),
        (["call", "--metadata", '{"graph": "x"}', "--script", "survey"], "there is no graph 'x'"),
        (["call", "--metadata", "[]"], "is list, not an object"),
        (["call", "--script", "nobody"], "give a YAML file, or the name of a script in"),
        (["talk", "--graph", "x"], "there is no graph 'x' in langgraph.json; it has appointment"),
        (["talk", "--metadata", "7"], "is int, not an object"),
        (["worker", "start"], "LIVEKIT_URL and LIVEKIT_API_KEY and LIVEKIT_API_SECRET not set"),
    ],
)
def test_bad_input_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    code, error = lastword(monkeypatch, capsys, *arguments)
    assert code == 1
    assert error.startswith("lastword: ")
    assert sentence in error
    assert "Traceback" not in error


def test_a_half_set_key_is_named_before_any_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEEPGRAM_API_KEY", "d")
    code, error = lastword(monkeypatch, capsys, "call")
    assert code == 1
    assert "DEEPGRAM_API_KEY set, but CARTESIA_API_KEY missing" in error


def test_a_graph_that_does_not_import_stops_the_worker_at_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "langgraph.json"
    config.write_text('{"graphs": {"front": "no.such:graph"}}')
    monkeypatch.setenv("LASTWORD_GRAPHS_CONFIG", str(config))
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        monkeypatch.setenv(name, "ws://127.0.0.1:1")
    code, error = lastword(monkeypatch, capsys, "worker", "start")
    assert code == 1
    assert "graph 'front' (no.such:graph) does not load: ModuleNotFoundError" in error


def test_a_memory_that_cannot_be_reached_stops_the_worker_at_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LASTWORD_GRAPH_MEMORY", "postgresql://anna:topsecret@127.0.0.1:9/calls")
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        monkeypatch.setenv(name, "ws://127.0.0.1:1")
    code, error = lastword(monkeypatch, capsys, "worker", "start")
    assert code == 1
    assert "lastword: the graphs' memory 'postgresql://127.0.0.1:9/calls' cannot be used" in error
    assert "refused" in error
    assert "topsecret" not in error


@pytest.mark.parametrize(
    "arguments", [["call"], ["talk"], ["worker", "start"]], ids=lambda words: words[0]
)
def test_a_malformed_memory_is_one_sentence_of_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.setenv("LASTWORD_GRAPH_MEMORY", "mysql://anna:topsecret@db/calls")
    code, error = lastword(monkeypatch, capsys, *arguments)
    assert code == 1
    assert error.startswith("lastword: LASTWORD_GRAPH_MEMORY has the scheme 'mysql'")
    assert "topsecret" not in error


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (OSError("PortAudio library not found"), "PortAudio is not installed"),
        (ValueError("no default input device"), "no audio device .no default input device."),
    ],
)
def test_without_audio_devices_talking_aloud_says_so(failure: Exception, sentence: str) -> None:
    def query(kind: str) -> object:
        raise failure

    with pytest.raises(AudioDeviceMissing, match=f"{sentence}.*leave --audio out to type instead"):
        check_audio_devices(query)


def test_with_both_audio_devices_talking_aloud_goes_on() -> None:
    asked: list[str] = []
    check_audio_devices(asked.append)
    assert asked == ["input", "output"]


def test_a_calls_folder_that_cannot_be_made_is_one_sentence_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LASTWORD_CALLS_DIR", str(tmp_path / "file" / "calls"))
    monkeypatch.setenv("LIVEKIT_SERVER_BIN", str(tmp_path / "none"))
    code, error = lastword(monkeypatch, capsys, "call")
    assert code == 1
    assert error.startswith(f"lastword: '{tmp_path}/file/calls' cannot be written")
    assert "Traceback" not in error


FILE = ALL.replace("\0", "").replace("\ud83d", "\udcff") + ".yaml"
"""What a file can be named; the half sign stands for a byte that is no UTF-8."""


@pytest.mark.parametrize(
    "arguments",
    [
        ["call", "--graph", ALL],
        ["call", "--script", FILE],
        ["replay", FILE],
        ["eval", "ends", FILE],
        ["check", ALL],
        ["talk", "--metadata", ALL],
    ],
    ids=lambda words: words[0],
)
def test_what_the_last_words_quote_does_not_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    code, error = lastword(monkeypatch, capsys, *arguments)
    assert code == 1
    assert error.startswith("lastword: ")
    assert error.count("\n") == 1
    assert steers(error) == []


def test_a_fault_of_ours_is_told_in_full_but_for_what_it_must_not_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def break_down() -> None:
        raise RuntimeError(f"password=topsecret {ALL}")

    with pytest.raises(SystemExit) as left:
        main(break_down)
    error = capsys.readouterr().err
    assert left.value.code == 1
    assert "Traceback" in error
    assert "RuntimeError" in error
    assert steers(error) == []
    assert "topsecret" not in error
