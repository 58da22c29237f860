"""One message on its way to the caller: whether it is speech, and what of it is a repetition.

Pure code: no clock, no loop, no LiveKit.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

_JSON_BEGINS = re.compile(r'\s*(```(json)?\s*)?(\{\s*["}]|\[\s*[\[{"])')
_JSON_MAY_BEGIN = re.compile(r"\s*(`{0,3}|```j?s?o?n?\s*|(```(json)?\s*)?[\[{]\s*)$")
_FENCE = re.compile(r"^\s*```(json)?|```\s*$")


@dataclass
class Utterance:
    """One message or ``say`` signal on its way to the caller.

    ``task`` is the checkpoint namespace of the task that says it, "" for a signal; ``failures``
    counts how often that task had failed before; ``waiting`` is the text not yet spoken; ``over``:
    no more text comes.
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
        """Take what may be spoken now; text that may be JSON is held back until that is known."""
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
        """Nothing more comes; structured output that is incomplete is not spoken."""
        self.over = True
        if _JSON_BEGINS.match(self.waiting):
            self.waiting = ""


def _is_json(text: str) -> bool:
    try:
        json.loads(_FENCE.sub("", text))
    except json.JSONDecodeError:
        return False
    except (ValueError, RecursionError):  # JSON whose numbers or nesting Python refuses
        return True
    return True


class NewWords(NamedTuple):
    """What a retry adds to the words of the attempt that failed.

    ``text`` is new. ``repeats``: the retry continues words that were spoken before. ``differs``:
    the retry says something else from here on, so ``text`` begins a new word.
    """

    text: str
    repeats: bool
    differs: bool = False


class RepeatFilter:
    """Passes a task's words on once, even if the task fails and is retried.

    The retry is compared with what the failed attempt said: nothing is passed on as long as it
    repeats that; everything is, from where it differs.
    """

    def __init__(self) -> None:
        self._spoken: defaultdict[str, str] = defaultdict(str)
        self._before: dict[str, str] = {}
        self._matched: defaultdict[str, str] = defaultdict(str)
        self._failures: defaultdict[str, int] = defaultdict(int)
        self._says: set[str] = set()

    def said(self, text: str) -> None:
        """A ``say`` signal has arrived."""
        self._says.add(text)

    def was_said(self, text: str) -> bool:
        """Whether a ``say`` signal had exactly this text."""
        return text in self._says

    def attempt(self, task: str, failures: int) -> None:
        """``task`` begins a message; it has failed ``failures`` times so far."""
        if failures <= self._failures[task]:
            return
        self._failures[task] = failures
        self._matched.pop(task, None)
        if spoken := self._spoken.pop(task, ""):
            self._before[task] = spoken

    def take(self, task: str, text: str) -> NewWords:
        """Divide ``text`` into what repeats the failed attempt and what is new."""
        before, matched = self._before.get(task, ""), self._matched[task]
        self._spoken[task] += text
        if not text or not before:
            return NewWords(text, repeats=False)
        left = before[len(matched) :]
        same = _common_length(left, text)
        self._matched[task] += text[:same]
        if same == len(text):
            return NewWords("", repeats=True)
        del self._before[task]
        matched = self._matched.pop(task)
        if same == len(left):
            return NewWords(text[same:], repeats=True)
        word = matched.rfind(" ") + 1
        return NewWords(matched[word:] + text[same:], repeats=word > 0, differs=True)


def _common_length(one: str, other: str) -> int:
    """Length of the longest prefix that both have."""
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    return same
