"""What a worker may log: LiveKit's ``dev`` and ``--log-level DEBUG`` let all libraries say all."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from copy import copy

from agent.printable import block, without_secrets

WITH_CONTENT = {
    "aiosqlite": "each SQL statement with its parameters: the graph's state, callers' words in it",
    "httpcore": "headers of answers, with cookies and accounts",
    "httpcore2": "the same; OpenAI's client uses it",
    "httpx": "URLs, at INFO: the graph server's, with names of threads",
    "httpx2": "the same; OpenAI's client uses it",
    "openai": "before version 3 the body of a request: the whole conversation",
    "urllib3": "paths of requests to LangSmith",
    "websockets": "each frame, and the headers of the handshake with the key in them",
}
"""Loggers that say below WARNING what callers said or what keys are, and what that is. Read and run
at DEBUG (Nov 2026) and found without: psycopg and psycopg_pool (host, user and database, no SQL),
LangGraph, LangChain, aiohttp and asyncio; LiveKit puts it into fields that begin with ``lk.pii.``.
"""


def _of_strangers(record: logging.LogRecord) -> bool:
    """Whether a record tells of a data stream that nobody reads, in the sender's own words.

    livekit-rtc logs each, on the root logger, and anybody in the room can send any number.
    """
    return record.getMessage().startswith(("ignoring text stream", "ignoring byte stream"))


def ignore_strangers_streams() -> None:
    """Do not log the streams that are not read; call it in the processes of jobs."""
    root = logging.getLogger()
    if _heard_of not in root.filters:
        root.addFilter(_heard_of)


def _heard_of(record: logging.LogRecord) -> bool:
    return not _of_strangers(record)


def keep_content_out_of_logs() -> None:
    """Let the libraries of ``WITH_CONTENT`` log warnings and errors only, whatever is asked for.

    Call it in the worker before its job processes start: LiveKit hands the levels on to them, and
    leaves alone what has a level already.
    """
    for name in WITH_CONTENT:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))


class _PrintableFormatter(logging.Formatter):
    """Lets another formatter print a record in which everything is fit to be shown."""

    def __init__(self, printer: logging.Formatter) -> None:
        super().__init__()
        self._printer = printer

    def format(self, record: logging.LogRecord) -> str:
        """Format a copy: other handlers may want the record as it is."""
        shown = copy(record)
        shown.msg, shown.args = without_secrets(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            shown.exc_text = self.formatException(record.exc_info)
        shown.exc_text, shown.exc_info = without_secrets(shown.exc_text or "") or None, None
        for name, value in shown.__dict__.items():
            if isinstance(value, str) and not value.isprintable():
                shown.__dict__[name] = block(value)
        return self._printer.format(shown)


def print_safely(handlers: Iterable[logging.Handler]) -> None:
    """Let records steer no terminal and tell no password: LiveKit's formatters print all they hold.

    Call it when LiveKit has set its handlers, which is when the worker runs. Their colours stay.
    """
    for handler in handlers:
        printer = handler.formatter or logging.Formatter()
        if not isinstance(printer, _PrintableFormatter):
            handler.setFormatter(_PrintableFormatter(printer))
