"""One message on its way to the caller, and whether it is speech at all. Pure code."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_JSON_BEGINS = re.compile(r'\s*(```(json)?\s*)?(\{\s*["}]|\[\s*[\[{"])')
_JSON_MAY_BEGIN = re.compile(r"\s*(`{0,3}|```j?s?o?n?\s*|(```(json)?\s*)?[\[{]\s*)$")
_FENCE = re.compile(r"^\s*```(json)?|```\s*$")


@dataclass
class Utterance:
    """One message or ``say`` on its way to the caller; ``task`` is "" for a ``say``.

    ``failures``: how often its task had failed before.
    """

    message_id: str | None
    task: str
    node: str
    failures: int = 0
    waiting: str = ""
    over: bool = False
    is_speech: bool = False
    """Known not to be structured output."""

    def take(self) -> str:
        """What may be spoken now; JSON is held back until it is known to be none."""
        if not self.is_speech and not self._is_speech_by_now():
            return ""
        text, self.waiting = self.waiting, ""
        return text

    def _is_speech_by_now(self) -> bool:
        if _JSON_BEGINS.match(self.waiting):
            self.is_speech = self.over and not _is_json(self.waiting)
        else:
            self.is_speech = self.over or not _JSON_MAY_BEGIN.match(self.waiting)
        return self.is_speech

    def break_off(self) -> None:
        """Nothing more comes; structured output that is not whole is none to be spoken."""
        self.over = True
        if _JSON_BEGINS.match(self.waiting):
            self.waiting = ""


def _is_json(text: str) -> bool:
    try:
        json.loads(_FENCE.sub("", text))
    except json.JSONDecodeError:
        return False
    except (ValueError, RecursionError):  # longer numbers or deeper lists than Python reads
        return True
    return True
