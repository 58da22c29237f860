"""What a worker may log: LiveKit's ``dev`` and ``--log-level DEBUG`` let all libraries say all."""

from __future__ import annotations

import logging

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
LangGraph, LangChain, aiohttp and asyncio; LiveKit puts it into fields that it marks as personal.
"""


def ignore_strangers_streams() -> None:
    """Do not log the data streams that nobody reads; call it in the processes of jobs.

    livekit-rtc logs each on the root logger, in its sender's own words, and anybody in the room can
    send any number.
    """
    logging.getLogger().addFilter(_is_of_ours)  # which adds it once


def _is_of_ours(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(("ignoring text stream", "ignoring byte stream"))


def keep_content_out_of_logs() -> None:
    """Let the libraries of ``WITH_CONTENT`` log warnings and errors only, whatever is asked for.

    Call it in the worker before its job processes start: LiveKit hands the levels on to them, and
    leaves alone what has a level already.
    """
    for name in WITH_CONTENT:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
