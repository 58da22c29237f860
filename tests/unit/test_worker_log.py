"""What a worker prints of its log steers no terminal, and has no password in it."""

from __future__ import annotations

import inspect
import io
import logging

import pytest
from livekit import rtc
from livekit.agents.cli.log import ColoredFormatter, JsonFormatter

from lastword.jobs.worker_log import ignore_strangers_streams
from lastword.terminal import print_safely
from tests.fakes.hostile import ALL, steers

PASSWORD = "postgresql://anna:topsecret@host/database"


FORMATS = {
    "development": ColoredFormatter("%(levelname)s %(message)s %(esc_gray)s%(extra)s"),
    "production": JsonFormatter(ensure_ascii=False),
}
"""As LiveKit's worker prints its log."""


def printed(how: str, message: str, *args: object, fault: Exception | None = None) -> str:
    """What is printed of a record; pytest does not get to see it, which prints it its own way."""
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(FORMATS[how])
    print_safely([handler])
    print_safely([handler])
    why = (type(fault), fault, fault.__traceback__) if fault else None
    record = logging.LogRecord("worker", logging.ERROR, "worker.py", 7, message, args, why)
    outcome = {message: [message, {"note": message}]}
    record.__dict__.update({"lk.pii.words": message, "lk.pii.outcome": outcome, "at": 1.5})
    return handler.format(record)


@pytest.mark.parametrize("how", FORMATS)
def test_whatever_is_in_a_record_steers_no_terminal(how: str) -> None:
    text = printed(how, f"{ALL} said %s", PASSWORD, fault=ValueError(f"{ALL} {PASSWORD}"))
    assert steers(text, colours=True) == []
    assert "topsecret" not in text
    assert "ValueError" in text
    assert "1.5" in text


def test_what_is_printable_stays_as_it_is() -> None:
    text = printed("development", "Grüß dich, 世界! %d words", 3)
    assert '"lk.pii.words": "Grüß dich, 世界! %d words"' in text
    assert "Grüß dich, 世界! 3 words" in text
    assert "\x1b[90m" in text, "LiveKit's own colours"


@pytest.mark.parametrize("kind", ["text", "byte"])
def test_streams_that_nobody_reads_are_not_logged(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    root = logging.getLogger()
    before = list(root.filters)
    try:
        ignore_strangers_streams()
        with caplog.at_level("DEBUG"):
            root.info("ignoring %s stream with topic '%s', no callback attached", kind, ALL)
            root.info("something else")
    finally:
        root.filters[:] = before
    assert [record.getMessage() for record in caplog.records] == ["something else"]


def test_livekit_still_says_so_in_these_words() -> None:
    source = inspect.getsource(rtc.room)
    for kind in ("text", "byte"):
        assert f'"ignoring {kind} stream with topic' in source
