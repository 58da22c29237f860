"""Hostile texts with terminal control characters, and a check that none is left in an output."""

from __future__ import annotations

import re
from unicodedata import category

HOSTILE = {
    "title": "\x1b]0;owned\x07",
    "clear": "\x1b[2J\x1b[H",
    "colour": "\x1b[31mred\x1b[0m",
    "rewind": "all is well\rall is lost",
    "back": "lost\x08\x08\x08\x08well",
    "csi": "\x9b2J\x9d0;owned\x9c",
    "bidi": "\u202egnp.exe\u202c \u2066x\u2069",
    "hidden": "zero\u200bwidth\ufeff\u00ad",
    "separators": "one\u2028two\u2029three\x85four\x0bfive\x0csix",
    "surrogate": "half \ud83d a sign",
    "noncharacter": "no \ufffe\uffff XML",
    "null": "no\x00thing\x7f",
    "tag": "\U000e0001\U000e0041",
    "markup": "[red]not ours[/red] [/] [bold",
    "line": "well\ncaller  I said so",
}
ALL = " ".join(HOSTILE.values())
"""All hostile texts in one string."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def steers(printed: str, *, colours: bool = False) -> list[str]:
    """Return the characters in ``printed`` that control a terminal; ``colours``: allow colours."""
    text = _COLOURS.sub("", printed) if colours else printed
    controls = ("Cc", "Cf", "Cs", "Zl", "Zp", "Cn")
    return sorted({one for one in text if one != "\n" and category(one) in controls})
