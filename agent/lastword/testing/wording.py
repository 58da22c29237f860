"""Compares texts by their words, without case, punctuation and spacing. Pure code."""

from __future__ import annotations

import re
from collections.abc import Sequence

ANY = "..."
"""The placeholder for any words or any nodes."""
_CURLY = "\N{RIGHT SINGLE QUOTATION MARK}"
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese: no spaces, so each character is a word."""
_LETTER = rf"[^\W_{_UNSPACED}]"
_WORD = re.compile(rf"[{_UNSPACED}]|{_LETTER}+(?:['{_CURLY}]{_LETTER}+)*")


def words_of(text: str) -> list[str]:
    """Return the words of a text, normalised for comparison."""
    return [word.replace(_CURLY, "'") for word in _WORD.findall(text.casefold())]


def find_words(words: Sequence[str], text: Sequence[str], start: int = 0) -> int:
    """Return the index in ``text`` at which ``words`` begin, from ``start`` on; -1: nowhere."""
    for at in range(start, len(text) - len(words) + 1):
        if list(text[at : at + len(words)]) == list(words):
            return at
    return -1


def contains(text: str, words: str) -> bool:
    """Whether ``text`` contains ``words``, adjacent and in order."""
    return find_words(words_of(words), words_of(text)) >= 0


def fits(pattern: Sequence[str], items: Sequence[str]) -> bool:
    """Whether ``items`` match ``pattern``, in which ``ANY`` stands for any number of items."""
    reached = {0}
    """The possible numbers of items that the pattern has matched so far."""
    for one in pattern:
        if one == ANY:
            reached = set(range(min(reached), len(items) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(items) and items[at] == one}
        if not reached:
            return False
    return len(items) in reached


def same_words(pattern: str, text: str) -> bool:
    """Whether ``text`` has the words of ``pattern``, in which "..." stands for any words."""
    parts = [words_of(part) for part in re.split(r"\.\.\.|…", pattern)]
    said, at = words_of(text), 0
    for number, part in enumerate(parts):
        if number == len(parts) - 1 and part:
            at_end = len(said) - len(part)
            return at <= at_end and said[at_end:] == part and (number > 0 or at_end == 0)
        found = find_words(part, said, at)
        if found < 0 or (number == 0 and part and found > 0):
            return False
        at = found + len(part)
    return True if len(parts) > 1 else not said


def heard_until(text: str, words: str) -> str | None:
    """Return ``text`` up to the end of ``words``; None when it does not contain them."""
    found = [match.span() for match in _WORD.finditer(text.casefold())]
    if len(text.casefold()) != len(text):
        found = [match.span() for match in _WORD.finditer(text)]
    at = find_words(words_of(words), words_of(text))
    if at < 0 or not words_of(words):
        return None
    end = found[at + len(words_of(words)) - 1][1]
    closing = re.match(r"[^\w\s]*", text[end:])
    return text[: end + (closing.end() if closing else 0)]
