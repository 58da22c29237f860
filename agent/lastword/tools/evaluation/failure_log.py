"""Why the graph failed in a case: taken from the bridge's log, kept out of the terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from lastword.untrusted.printable import without_secrets

_BRIDGE = logging.getLogger("lastword.bridge")


class FailureLog(logging.Handler):
    """Keeps the error of the last failure of each call, by its thread's name."""

    def __init__(self) -> None:
        super().__init__()
        self._why: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the error of a failed run; other records are let go."""
        thread = getattr(record, "graph_thread", None)
        if thread is not None and record.exc_info and record.exc_info[1]:
            self._why[thread] = describe(record.exc_info[1])

    def why(self, call_id: str) -> str:
        """What failed in the call; "" when it is not known."""
        return self._why.get(call_id, "")


def describe(error: BaseException) -> str:
    """An error on one line."""
    why = without_secrets(" ".join(str(error).split()))
    return f"{type(error).__name__}: {why}".rstrip(": ")


@contextmanager
def kept_failures() -> Iterator[FailureLog]:
    """Take the bridge's log for as long as cases run."""
    log = FailureLog()
    passed_on, _BRIDGE.propagate = _BRIDGE.propagate, False
    _BRIDGE.addHandler(log)
    try:
        yield log
    finally:
        _BRIDGE.removeHandler(log)
        _BRIDGE.propagate = passed_on
