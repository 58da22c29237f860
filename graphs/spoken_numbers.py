"""Spoken numbers: how the agent says them and how it understands them."""

from __future__ import annotations

import re

from graphs.understanding import normalise


def word_list(words: str) -> list[str]:
    """Split a string into words."""
    return words.split()


ONES = word_list(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
TENS = {20: "twenty", 30: "thirty", 40: "forty", 50: "fifty"}
NUMBERS = {word: number for number, word in enumerate(ONES)} | {
    word: number for number, word in TENS.items()
}
# What speech recognition often returns for a number said alone.
_SOUNDS_LIKE = {"for": 4, "fore": 4, "to": 2, "too": 2, "won": 1, "tree": 3, "free": 3, "hive": 5}
_SHORT = 3


def number_in_words(number: int) -> str:
    """Say a number from 0 to 59."""
    if number < len(ONES):
        return ONES[number]
    tens, one = divmod(number, 10)
    return TENS[tens * 10] + (f"-{ONES[one]}" if one else "")


def digits_in_words(number: str) -> str:
    """Say a telephone number digit by digit, with a pause after every three digits."""
    digits = [ONES[int(char)] for char in number if char.isdigit()]
    groups = [" ".join(digits[at : at + 3]) for at in range(0, len(digits), 3)]
    return ", ".join(groups)


def heard_number(text: str) -> int | None:
    """Return the first number named in ``text``, None if there is none.

    In an answer of up to three words, words that sound like a number count as one ("for": 4).
    """
    words = normalise(text).split()
    for word in words:
        if word.isdigit():
            return int(word)
        if word in NUMBERS and not (
            word == "one" and re.search(r"\b(?:this|that|which) one\b", text)
        ):
            return NUMBERS[word]
    if len(words) <= _SHORT:
        return next((_SOUNDS_LIKE[word] for word in words if word in _SOUNDS_LIKE), None)
    return None


def heard_digits(text: str) -> str:
    """Return the telephone number in ``text`` as digits, "" if there are fewer than five."""
    digits: list[str] = []
    twice = False
    for word in normalise(text).split():
        digit = "0" if word == "oh" else str(NUMBERS.get(word, "")) if not word.isdigit() else word
        digits += [digit] * (2 if twice and digit else 1)
        twice = word == "double"
    number = "".join(digits)
    return number if len(number) >= 5 else ""
