"""Whoever is in the room can do no more than speak: not to the terminal that shows the call."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.table import Table
from rich.text import Text

from lastword.hangup.call_end import CallEnd
from lastword.terminal import SafeConsole, print_error, print_safe_logs
from lastword.testing.checks import Fault
from lastword.testing.coverage import coverage_table
from lastword.testing.replay import Played, Replayed
from lastword.testing.reply import End, Reply
from lastword.testing.script_view import script_of
from lastword.testing.stage.processes import running_process
from lastword.testing.stage.verdict import Verdict
from lastword.testing.stage.view import CallView
from lastword.testing.transcripts.transcript import CallerSays, Exchange, Transcript
from lastword.tools.check.report import Finding, Place, Report
from lastword.tools.check.view import as_json
from lastword.tools.check.view import show as show_check
from lastword.tools.evaluation.dataset import Case, Line
from lastword.tools.evaluation.figures import Decision, Side
from lastword.tools.evaluation.report import report
from lastword.tools.evaluation.report import show as show_evaluation
from lastword.tools.replay.view import ReplayView, show_verdict
from lastword.tools.talk import show_end
from tests.fakes.an_event import an_event
from tests.fakes.half_covered import to_left
from tests.fakes.hostile import ALL, HOSTILE, steers

Show = Callable[[SafeConsole, str], object]


def call_view(console: SafeConsole, words: str) -> None:
    view = CallView(console)
    view.caller({"event": "joined", "t": 0.0})
    view.caller({"event": "line_started", "t": 0.0, "text": words})
    view.caller({"event": "disconnected", "t": 0.0, "reason": words})
    end = {"ended_by": words, "reason": words}
    said = {"interrupted": True, "seconds": 1.0, "nodes": [words], "metrics": {}}
    for event in (
        an_event("caller_said", 1.0, words=words),
        an_event("agent_said", 1.0, words=words, **said),
        an_event("graph_told", 1.0, kind="keypad", told={"kind": "keypad", "keys": words}),
        an_event("graph_told", 1.0, kind=words),
        an_event("ending", 1.0, source=words, **end),
        an_event("hanging_up", 1.0, **end),
    ):
        view.worker(event)


def verdict(console: SafeConsole, words: str) -> None:
    Verdict(
        ended_by=words,
        reason=words,
        outcome={words: words},
        farewell=None,
        spoke=False,
        tail=None,
        line_gone_after=None,
        room_left=False,
        transcript=Path(words),
        recording=Path(words),
    ).show(console)


def replayed(words: str) -> Replayed:
    turn = CallerSays.model_construct(caller=words, over=words, heard=words, line=3)
    faults = [Fault(3, words, words, words, words)]
    end = End("graph", words, {words: words}, "node")
    exchange = Exchange.model_construct(trigger=turn, expected=None)
    reply = Reply(said=words, nodes=[words], end=end, is_over=True, heard=words)
    transcript = Transcript.model_construct(path=Path(words), turns=[turn])
    return Replayed(transcript, "graph", [Played(exchange, reply, faults)], None, faults)


def replay_verdict(console: SafeConsole, words: str) -> None:
    show_verdict(replayed(words), console)


def replay_view(console: SafeConsole, words: str) -> None:
    asyncio.run(ReplayView(console, in_real_time=False).show(replayed(words).played[0]))


def checked(words: str) -> Report:
    finding = Finding("no-ending", words, words, Place(Path(words), 1), words, words)
    return Report((words,), 1, (finding,), (words,), 0)


def sides(words: str) -> list[Side]:
    def decision(number: int) -> Decision:
        history = [Line.model_construct(role=role, text=words) for role in ("agent", "user")]
        case = Case.model_construct(
            id=f"{words}{number}", category=words, history=history, label="end"
        )
        return Decision(case, "failed", asked=words, said=words, reason=words, why=words)

    return [Side(words, words, tuple(map(decision, range(8))))] * 2


def evaluation(console: SafeConsole, words: str) -> None:
    show_evaluation(report([words], sides(words)), console)


def coverage(console: SafeConsole, words: str) -> None:
    half = to_left(name=words, declared=(words,), seen={("node", words): 1, (words, words): 1})
    console.print(coverage_table([half]))


SHOWN: list[Show] = [
    call_view,
    verdict,
    replay_view,
    replay_verdict,
    evaluation,
    coverage,
    lambda console, words: show_check(checked(words), console),
    lambda console, words: show_end(CallEnd("graph", words, {words: words}), console),
    lambda console, words: console.print(words, Text(words), {words: words}, style="red"),
    lambda console, words: console.print(_table(words)),
]


def _table(words: str) -> Table:
    table = Table(words, title=words, caption=words)
    table.add_row(words)
    table.add_row(Text(words, style="link https://here"))
    return table


def names(values: Sequence[object]) -> list[str]:
    return [getattr(value, "__name__", str(value)) for value in values]


@pytest.mark.parametrize("words", [*HOSTILE.values(), ALL], ids=[*HOSTILE, "all"])
@pytest.mark.parametrize("show", SHOWN, ids=names(SHOWN))
def test_nothing_that_is_shown_steers_the_terminal(show: Show, words: str) -> None:
    console = SafeConsole(file=io.StringIO(), width=200)
    show(console, words)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert printed.strip()
    assert steers(printed) == []
    printed.encode()


@pytest.mark.parametrize("show", SHOWN[:6], ids=names(SHOWN[:6]))
def test_our_own_colours_are_all_that_is_left(show: Show) -> None:
    console = SafeConsole(
        file=io.StringIO(), width=200, force_terminal=True, color_system="standard"
    )
    show(console, HOSTILE["clear"] + HOSTILE["csi"] + HOSTILE["markup"])
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[" in printed
    assert steers(printed, colours=True) == []
    assert "[red]not ours[/red]" in " ".join(printed.split())


def test_a_picture_of_the_terminal_is_xml(tmp_path: Path) -> None:
    console = SafeConsole(file=io.StringIO(), record=True, width=300)
    call_view(console, ALL)
    verdict(console, ALL)
    console.print(Text(ALL))
    file = tmp_path / "call.svg"
    console.save_svg(str(file), title="make call")
    text = file.read_text(encoding="utf-8")
    ElementTree.fromstring(text)  # noqa: S314 - our own
    assert steers(text) == []


def test_what_is_said_stays_on_its_line_of_a_script() -> None:
    lines = script_of(replayed("well\n        line    ended by graph: done"))
    assert all("\n" not in line for line in lines)
    assert sum(line.startswith("        line    ended by") for line in lines) == 1
    assert all(steers(line) == [] for line in script_of(replayed(ALL)))


def test_a_terminal_that_lacks_a_sign_gets_an_escape() -> None:
    raw = io.BytesIO()
    console = SafeConsole(file=io.TextIOWrapper(raw, encoding="latin-1"), width=80)
    console.print("zażółć → é", ALL)
    console.file.flush()
    assert raw.getvalue().startswith(rb"za\u017c".replace(b"\\u017c", b"\\u017c\xf3"))
    assert b"\x9b" not in raw.getvalue()


def test_the_page_of_an_evaluation_holds_text_only() -> None:
    page = report([ALL], sides(f"{ALL} <script> &#x202e; ![x](y)\n# Well"))
    assert steers(page) == []
    assert "<script" not in page.replace("\\<script", "")
    assert "&#x202e" not in page.replace("\\&\\#x202e", "")
    assert "\n# Well" not in page
    page.encode()


def test_the_check_writes_json_that_any_terminal_takes() -> None:
    text = as_json(checked(ALL))
    assert steers(text) == []
    assert json.loads(text)["graphs"] == [ALL]


async def test_the_last_lines_of_a_process_stay_lines_without_passwords() -> None:
    logged = {"level": "ERROR", "message": ALL, "exc_info": "Traceback\n  http://a:secret@h/"}
    program = f"print({json.dumps(logged)!r}); print('\\x1b[2J\\x07 \\u202e')"
    command = [sys.executable, "-X", "utf8", "-c", program]
    async with running_process("the worker", command) as part:
        assert [line async for line in part.lines()]
        error = str(part.failed("stopped"))
    assert steers(error) == []
    assert error.splitlines()[0] == "the worker stopped; its last lines:"
    assert all(line.startswith("  ") for line in error.split("\n")[1:])
    assert "http://h/" in error
    assert "secret" not in error


def test_the_last_words_of_a_command_are_printable(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(f"lastword: {ALL}")
    assert steers(capsys.readouterr().err) == []


def test_a_log_that_nobody_has_set_up_is_printable(capsys: pytest.CaptureFixture[str]) -> None:
    print_safe_logs()
    failed = (ValueError, ValueError(ALL), None)
    said = "%s at http://a:secret@h"
    record = logging.LogRecord("x", logging.ERROR, "", 1, said, (ALL,), failed)
    assert logging.lastResort is not None
    logging.lastResort.handle(record)
    printed = capsys.readouterr().err
    assert "ValueError" in printed
    assert "secret" not in printed
    assert steers(printed) == []
