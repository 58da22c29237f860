"""Words that a failed attempt has already spoken, and its retry says again.

Pure code: no clock, no loop, no LiveKit.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple


class Heard(NamedTuple):
    """What a retry adds to the words of the attempt that failed.

    ``text`` is new; ``repeats``: the retry goes on from words that were spoken before;
    ``differs``: those words went another way, so ``text`` begins a new word.
    """

    text: str
    repeats: bool
    differs: bool = False


class RepeatFilter:
    """Lets a task's words through once.

    A task that begins again is compared with what it said before: as long as it repeats that, it
    is silent; from where it says something else, it is heard.
    """

    def __init__(self) -> None:
        self._spoken: defaultdict[str, str] = defaultdict(str)
        self._before: dict[str, str] = {}
        self._matched: defaultdict[str, str] = defaultdict(str)
        self._failures: defaultdict[str, int] = defaultdict(int)
        self._says: set[str] = set()

    def said(self, text: str) -> None:
        """A ``say`` signal came."""
        self._says.add(text)

    def was_said(self, text: str) -> bool:
        """Whether a ``say`` signal had exactly this text."""
        return text in self._says

    def attempt(self, task: str, failures: int) -> None:
        """``task`` begins a message, after it has failed so often."""
        if failures <= self._failures[task]:
            return
        self._failures[task] = failures
        self._matched.pop(task, None)
        if spoken := self._spoken.pop(task, ""):
            self._before[task] = spoken

    def take(self, task: str, text: str) -> Heard:
        """Divide ``text`` into what repeats the failed attempt and what is new."""
        before, matched = self._before.get(task, ""), self._matched[task]
        self._spoken[task] += text
        if not text or not before:
            return Heard(text, repeats=False)
        left = before[len(matched) :]
        same = _common_length(left, text)
        self._matched[task] += text[:same]
        if same == len(text):
            return Heard("", repeats=True)
        del self._before[task]
        matched = self._matched.pop(task)
        if same == len(left):
            return Heard(text[same:], repeats=True)
        word = matched.rfind(" ") + 1
        return Heard(matched[word:] + text[same:], repeats=word > 0, differs=True)


def _common_length(one: str, other: str) -> int:
    """Length of the longest beginning that both have."""
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    return same
