"""Compile and search regular expressions of users within bounds.

The ``regex`` library is used: it accepts the syntax of ``re`` and has a timeout.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from math import prod

import regex

from lastword.untrusted.printable import quoted

MAX_LENGTH = 500
"""Characters of a pattern."""
MAX_SIZE = 5_000
"""Elements of a pattern with its counts expanded; ``regex`` takes a kilobyte for each."""
SECONDS = 1.0
"""CPU time of the process, as ``regex`` measures it, for all patterns of one answer. A pattern
without nested repeats needs a millisecond."""

_COUNT = re.compile(r"(.?)\{(\d+)")
_ELEMENT = re.compile(r"[\w.\]]")
_VERBOSE = re.compile(r"\(\?[A-Za-z0-9^]*x")
"""This flag allows blanks and comments inside a count, which ``_COUNT`` would not find."""
_RECURSION = re.compile(r"\(\?(?:R|[-+]?\d|&|P>)")


class BadPattern(ValueError):
    """A pattern cannot be used; the message is a sentence that names it."""


class SlowPattern(Exception):
    """A search took too long and was stopped; the message is a sentence that names the pattern."""

    def __init__(self, pattern: str) -> None:
        super().__init__(
            f"the pattern {quoted(pattern)} takes more than {SECONDS:g} s: write it without "
            "nested repeats"
        )


def compile_pattern(pattern: str) -> regex.Pattern[str]:
    """Compile a pattern; it ignores case.

    Raises:
        BadPattern: it is not a regular expression, or exceeds a bound.
    """
    if len(pattern) > MAX_LENGTH:
        raise BadPattern(f"{quoted(pattern)} is longer than {MAX_LENGTH} characters")
    if _size(pattern) > MAX_SIZE:
        raise BadPattern(f"{quoted(pattern)} repeats too much: lower its counts in braces")
    if _RECURSION.search(pattern):
        raise BadPattern(f"{quoted(pattern)} calls itself, which is not supported")
    if _VERBOSE.search(pattern):
        raise BadPattern(f"{quoted(pattern)} has the flag x, which is not supported")
    try:
        return regex.compile(pattern, regex.IGNORECASE | regex.VERSION0)
    except (regex.error, ValueError, LookupError, ArithmeticError, TypeError) as error:
        raise BadPattern(f"{quoted(pattern)} is not a regular expression: {error}") from error
    except RecursionError as error:
        raise BadPattern(f"{quoted(pattern)} has too many nested groups") from error


def _size(pattern: str) -> int:
    """An upper bound for the number of elements of a pattern whose counts are expanded.

    A count after a letter, a digit, a dot or a set repeats one element. After any other character
    it may repeat a group, and multiplies the elements in it.
    """
    counts = [(before, int(number)) for before, number in _COUNT.findall(pattern)]
    of_groups = prod(max(number, 1) for before, number in counts if not _ELEMENT.match(before))
    of_elements = sum(number for before, number in counts if _ELEMENT.match(before))
    return of_groups * (len(pattern) + of_elements)


def search_all(patterns: Sequence[str], text: str) -> Iterator[tuple[str, bool]]:
    """Yield each pattern, and whether it is found in ``text``; ignores case.

    Raises:
        BadPattern: as ``compile_pattern``.
        SlowPattern: all patterns together took longer than ``SECONDS``.
    """
    until = time.process_time() + SECONDS
    for pattern in patterns:
        left = max(until - time.process_time(), 0.001)
        yield pattern, search(compile_pattern(pattern), text, left)


def search(pattern: regex.Pattern[str], text: str, seconds: float = SECONDS) -> bool:
    """Whether a compiled pattern is found in ``text``.

    Raises:
        SlowPattern: the search took longer than ``seconds``, or needs too much memory.
    """
    try:
        return pattern.search(text, timeout=seconds) is not None
    except (TimeoutError, MemoryError) as error:
        raise SlowPattern(pattern.pattern) from error
