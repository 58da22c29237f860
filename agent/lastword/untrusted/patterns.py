"""Regular expressions that users write: compiled and searched within bounds.

They are searched by ``regex``, which reads what ``re`` reads and can be told to stop.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from math import prod

import regex

from lastword.untrusted.printable import quoted

MAX_LENGTH = 500
"""Characters."""
MAX_SIZE = 5_000
"""Elements of a pattern with its counts written out; ``regex`` takes a kilobyte for each."""
SECONDS = 1.0
"""Of the process's time on the CPU, as ``regex`` counts, for all patterns of one answer; one
without repeats inside repeats needs a millisecond."""

_COUNT = re.compile(r"(.?)\{(\d+)")
_ELEMENT = re.compile(r"[\w.\]]")
_VERBOSE = re.compile(r"\(\?[A-Za-z0-9^]*x")
"""With this flag blanks and comments may stand inside a count, which then is not seen as one."""
_RECURSION = re.compile(r"\(\?(?:R|[-+]?\d|&|P>)")


class BadPattern(ValueError):
    """A pattern cannot be used; the message is a sentence that names it."""


class SlowPattern(Exception):
    """The search for a pattern was given up; the message is a sentence that names it."""

    def __init__(self, pattern: str) -> None:
        super().__init__(
            f"the pattern {quoted(pattern)} takes more than {SECONDS:g} s: write it without "
            "repeats inside repeats"
        )


def compile_pattern(pattern: str) -> regex.Pattern[str]:
    """Compile a pattern that is found in any case.

    Raises:
        BadPattern: it is no regular expression, or exceeds a bound.
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
        raise BadPattern(f"{quoted(pattern)} is no regular expression: {error}") from error
    except RecursionError as error:
        raise BadPattern(f"{quoted(pattern)} has too many groups inside each other") from error


def _size(pattern: str) -> int:
    """At least the number of elements that a pattern has when its counts are written out.

    A count repeats one element if it stands behind a letter, a digit, a dot or a set. Behind
    anything else it may repeat a group, and multiplies what is in there.
    """
    counts = [(before, int(number)) for before, number in _COUNT.findall(pattern)]
    of_groups = prod(max(number, 1) for before, number in counts if not _ELEMENT.match(before))
    of_elements = sum(number for before, number in counts if _ELEMENT.match(before))
    return of_groups * (len(pattern) + of_elements)


def search_all(patterns: Sequence[str], text: str) -> Iterator[tuple[str, bool]]:
    """Tell of each pattern whether it is found in ``text``, in any case.

    Raises:
        BadPattern: as ``compile_pattern``.
        SlowPattern: ``SECONDS`` are over.
    """
    until = time.process_time() + SECONDS
    for pattern in patterns:
        left = max(until - time.process_time(), 0.001)
        yield pattern, search(compile_pattern(pattern), text, left)


def search(pattern: regex.Pattern[str], text: str, seconds: float = SECONDS) -> bool:
    """Whether a compiled pattern is found in ``text``.

    Raises:
        SlowPattern: ``seconds`` are over, or the search needs too much memory.
    """
    try:
        return pattern.search(text, timeout=seconds) is not None
    except (TimeoutError, MemoryError) as error:
        raise SlowPattern(pattern.pattern) from error
