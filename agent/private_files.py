"""Files with people's words or voices: for the owner only, under names that are no paths."""

from __future__ import annotations

import hashlib
import re

LONGEST_NAME = 200
"""Bytes of a name from ``file_name``; file systems take 255, so the rest is for suffixes."""

_ORDINARY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@=-]*(?<!\.)")
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices, with any suffix."""


def file_name(text: str) -> str:
    """The one path component that stands for ``text``: a room, a call, a graph.

    An ordinary name (ASCII letters and digits, ``_ . + @ = -``; it neither begins with ``.``,
    ``+``, ``@``, ``=`` or ``-`` nor ends with a dot) stays as it is. Any other is replaced by what
    can be read of it, ``~`` and a hash of all of it. ``~`` is in no ordinary name, so two texts
    never share a file (where the file system ignores case, ordinary names that differ in nothing
    else do). The hash has 128 bits, because callers may choose names. A component fits into
    ``LONGEST_NAME`` bytes.
    """
    if len(text) <= LONGEST_NAME and _ORDINARY.fullmatch(text) and not _DEVICE.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", text[:LONGEST_NAME])[:80].strip("-")
    return f"{readable or 'unnamed'}~{digest}"
