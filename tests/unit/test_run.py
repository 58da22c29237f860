"""``make test`` runs everything, whatever fails, and says at the end what failed."""

from __future__ import annotations

import asyncio

import pytest

from tests.run import LEVELS, Result, Run, _read_line, main

ALL = {name: {"ran": 2, "seconds": 1.0, "failed": []} for name in LEVELS}


def test_all_levels_have_run_and_nothing_failed() -> None:
    result = Result()
    result.add(ALL)
    assert result.failed == []
    assert result.summary(7).splitlines()[-1] == "all passed, 7 s"


def test_a_failed_test_a_broken_run_and_an_empty_level_are_named() -> None:
    result = Result(broken=["the run 'quick': exit code 3"])
    result.add({name: figures for name, figures in ALL.items() if name != "studio"})
    result.add({"room": {"ran": 3, "seconds": 0.5, "failed": ["tests/room/test_it.py::test_it"]}})
    lines = result.summary(7).splitlines()
    assert "room                            5      1      1.5" in lines
    assert lines[-4:] == [
        "FAILED tests/room/test_it.py::test_it",
        "FAILED the run 'quick': exit code 3",
        "FAILED no test ran in level studio",
        "something failed, 7 s",
    ]


async def test_a_run_that_breaks_keeps_no_other_from_running(
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = "tests/unit/test_wording.py"
    stages = [[Run("first", ["tests/no-such-folder"])], [Run("second", [good])]]
    assert await main(stages) == 1
    printed = capsys.readouterr().out
    assert "FAILED the run 'first': exit code 4" in printed
    assert "second| " in printed
    assert "FAILED no test ran in level room" in printed
    assert "level unit" not in printed, "it has run"


async def test_a_line_of_any_length_is_passed_on_in_pieces() -> None:
    output = asyncio.StreamReader(limit=10)
    output.feed_data(b"short\n" + b"x" * 35 + b"\nlast")
    output.feed_eof()
    pieces = []
    while piece := await _read_line(output):
        pieces.append(piece)
    assert pieces[0] == b"short\n"
    assert b"".join(pieces[1:]) == b"x" * 35 + b"\nlast"
