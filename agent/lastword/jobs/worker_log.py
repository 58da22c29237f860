"""Limit what a worker logs: LiveKit's ``dev`` and ``--log-level DEBUG`` apply to all libraries."""

from __future__ import annotations

import logging

WITH_CONTENT = {
    "aiosqlite": "each SQL statement with its parameters: the graph's state with callers' words",
    "httpcore": "response headers, with cookies and accounts",
    "httpcore2": "the same; OpenAI's client uses it",
    "httpx": "URLs, at INFO: those of the graph server contain thread names",
    "httpx2": "the same; OpenAI's client uses it",
    "openai": "request bodies before version 3: the whole conversation",
    "urllib3": "paths of requests to LangSmith",
    "websockets": "each frame, and the handshake headers with the key",
}
"""Loggers that log callers' words or keys below WARNING, and what they log. Read and run at DEBUG
(Nov 2026) and found to log neither: psycopg and psycopg_pool (host, user and database, no SQL),
LangGraph, LangChain, aiohttp and asyncio. LiveKit puts such data into fields that it marks as
personal.
"""


def ignore_strangers_streams() -> None:
    """Do not log data streams that have no reader; call it in job processes.

    livekit-rtc logs each stream on the root logger, with a topic that its sender chose, and any
    participant can send any number of streams.
    """
    logging.getLogger().addFilter(_is_no_strangers_stream)  # added once, however often called


def _is_no_strangers_stream(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(("ignoring text stream", "ignoring byte stream"))


def keep_content_out_of_logs() -> None:
    """Let the libraries of ``WITH_CONTENT`` log only warnings and errors, at any log level.

    Call it in the worker before its job processes start: LiveKit passes the levels on to them, and
    does not change a logger that already has a level.
    """
    for name in WITH_CONTENT:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
