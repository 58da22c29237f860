"""What happened in a call, in order: each entry is one log line with a fixed sentence and fields.

The terminal view of ``lastword call`` is made of nothing but these lines, so an operator who
reads the worker's log sees what the developer saw. Words and numbers of the caller are in fields
that begin with ``lk.pii.``, LiveKit's mark for personal data.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Literal

EndedBy = Literal["graph", "caller", "operator", "limit", "dial", "error"]
LOGGER_NAME = "lastword.call"
_log = logging.getLogger(LOGGER_NAME)

_SENTENCES = {
    "call_started": "the call has started",
    "caller_joined": "the caller is on the line",
    "heard": "the caller said something",
    "spoken": "the agent said something",
    "call_event": "the graph was told of something that happened to the call",
    "ending": "the call is to end after a farewell",
    "ending_cancelled": "the caller spoke over the goodbye, the call goes on",
    "farewell_played": "the farewell was played to its end",
    "hanging_up": "hanging up",
    "gone": "the line is gone",
    "hang_up_failed": "the line may still be up",
    "call_ended": "the call has ended",
}


class CallJournal:
    """Writes the entries of one call.

    Args:
        call_id: name of the call in every entry.
        clock: monotonic seconds; ``at`` of every entry.
        ended: is told when the last entry, ``call_ended``, has been written.
    """

    def __init__(
        self,
        call_id: str,
        clock: Callable[[], float] = time.monotonic,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._call_id = call_id
        self._clock = clock
        self._ended = ended

    def write(self, event: str, **fields: Any) -> None:
        """Write one entry; ``event`` is one of the journal's own words.

        Raises:
            KeyError: the journal has no such event.
        """
        entry = {"event": event, "call": self._call_id, "at": round(self._clock(), 4), **fields}
        _log.info(_SENTENCES[event], extra=entry)
        if event == "call_ended":
            self._ended()
