"""What a worker prints of its log steers no terminal, and has no password in it."""

from __future__ import annotations

import inspect
import io
import logging
from collections.abc import Iterator

import pytest
from livekit import rtc
from livekit.agents.cli.log import ColoredFormatter, JsonFormatter

from agent.worker_log import ignore_strangers_streams, print_safely
from tests.fakes.hostile import ALL, steers

PASSWORD = "postgresql://anna:topsecret@host/database"


@pytest.fixture
def worker_log() -> Iterator[tuple[logging.Logger, io.StringIO, io.StringIO]]:
    """A logger that prints as LiveKit's worker does, in development and in production."""
    dev, production = io.StringIO(), io.StringIO()
    handlers = [logging.StreamHandler(dev), logging.StreamHandler(production)]
    handlers[0].setFormatter(ColoredFormatter("%(levelname)s %(message)s %(esc_gray)s%(extra)s"))
    handlers[1].setFormatter(JsonFormatter(ensure_ascii=False))
    logger = logging.getLogger("worker under test")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    for handler in handlers:
        logger.addHandler(handler)
    print_safely(handlers)
    print_safely(handlers)
    yield logger, dev, production
    logger.handlers.clear()


def test_whatever_is_in_a_record_steers_no_terminal(
    worker_log: tuple[logging.Logger, io.StringIO, io.StringIO],
) -> None:
    logger, dev, production = worker_log
    fault = ValueError(f"{ALL} {PASSWORD}")
    fields = {"lk.pii.words": ALL, "at": 1.5}
    logger.error("%s said %s", ALL, PASSWORD, exc_info=fault, extra=fields)
    for printed in (dev.getvalue(), production.getvalue()):
        assert steers(printed, colours=True) == []
        assert "topsecret" not in printed
        assert "ValueError" in printed
        assert "1.5" in printed


def test_what_is_printable_stays_as_it_is(
    worker_log: tuple[logging.Logger, io.StringIO, io.StringIO],
) -> None:
    logger, dev, _ = worker_log
    logger.info("the caller said %d words", 3, extra={"lk.pii.words": "Grüß dich, 世界!"})
    assert '{"lk.pii.words": "Grüß dich, 世界!"}' in dev.getvalue()
    assert "the caller said 3 words" in dev.getvalue()
    assert "\x1b[90m" in dev.getvalue(), "LiveKit's own colours"


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
