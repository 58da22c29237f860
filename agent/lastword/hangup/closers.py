"""Closers: what callers say over a farewell when they want nothing more.

The phrases are in ``closers.yaml``, which is read once, at import.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TypeAlias

import yaml

Words: TypeAlias = tuple[str, ...]

LISTS = Path(__file__).with_name("closers.yaml")
EVERYWHERE = "en"
"""Closers of this language count in every language: callers everywhere say "okay" and "bye"."""
# Characters used as an apostrophe, and the Indic joiners, which do not change a word.
_APOSTROPHES = dict.fromkeys("`\u00b4\u02bc\u2018\u2019\u2032\uff07", "'")
_SAME = str.maketrans(_APOSTROPHES | dict.fromkeys("\u200c\u200d", ""))


@dataclass(frozen=True)
class Phrases:
    """The phrases that a closer consists of.

    Args:
        closers: a goodbye, thanks or agreement, complete by itself.
        fillers: allowed anywhere, also alone.
        lead_ins: must be followed by a closer.
    """

    closers: frozenset[Words] = frozenset()
    fillers: frozenset[Words] = frozenset()
    lead_ins: frozenset[Words] = frozenset()

    def __or__(self, other: Phrases) -> Phrases:
        return Phrases(
            self.closers | other.closers,
            self.fillers | other.fillers,
            self.lead_ins | other.lead_ins,
        )

    def states_after(self, phrase: Words, open_lead_in: bool) -> Iterable[bool]:
        """Yield whether a lead-in needs a closer after ``phrase``; nothing if it is unknown."""
        if phrase in self.closers:
            yield False
        if phrase in self.fillers:
            yield open_lead_in
        if phrase in self.lead_ins:
            yield True


def is_closer(words: str, language: str) -> bool:
    """Tell whether ``words``, said over the farewell, are a closer.

    They are if they consist entirely of known phrases. No words, and "uh", are a closer too: they
    request nothing. With a single unknown word, ``words`` are not a closer.

    Args:
        words: a transcript, in any case and with any punctuation. The beginning of a closer
            ("have a") is not a closer: pass complete phrases.
        language: a BCP-47 tag. English phrases always count; if the language is unknown, empty or
            "multi", the phrases of all languages count.
    """
    heard, phrases = split_words(words), _phrases(language)
    reached: list[set[bool]] = [{False}, *(set() for _ in heard)]  # whether a lead-in is open
    for start, states in enumerate(reached):
        for end in range(start + 1, min(start + _LONGEST, len(heard)) + 1):
            for state in states:
                reached[end].update(phrases.states_after(heard[start:end], state))
    return False in reached[-1]


def split_words(text: str) -> Words:
    """Split into words without case, punctuation and the accents of Latin letters.

    An apostrophe inside a word is kept, because "we'll" is not "well".
    """
    spaced = "".join(char if _in_word(char) else " " for char in _folded(text))
    return tuple(word for part in spaced.split() if (word := part.strip("'")))


def _in_word(char: str) -> bool:
    # Letters, marks and numbers. The vowel signs of Devanagari are marks, which neither
    # str.isalnum nor \w in a regular expression accepts.
    return char == "'" or unicodedata.category(char)[0] in "LMN"


def _folded(text: str) -> str:
    kept: list[str] = []
    latin = False
    for char in unicodedata.normalize("NFKD", text.translate(_SAME).casefold()):
        mark = unicodedata.category(char) == "Mn"
        if not mark:
            latin = unicodedata.name(char, "").startswith("LATIN ")
        if not (mark and latin):
            kept.append(char)
    return "".join(kept)


def _phrases(language: str) -> Phrases:
    return _BY_LANGUAGE.get(language.replace("_", "-").partition("-")[0].casefold(), _ALL)


def read_lists(path: Path = LISTS) -> dict[str, Phrases]:
    """Read the phrases of each language."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {
        language: Phrases(**{kind: _read(text) for kind, text in block.items()})
        for language, block in content.items()
    }


def _read(text: str) -> frozenset[Words]:
    """Read phrases separated by commas; add each also without its apostrophes."""
    phrases = {words for phrase in text.split(",") if (words := split_words(phrase))}
    return frozenset(phrases | {tuple(w.replace("'", "") for w in words) for words in phrases})


_LISTS = read_lists()
_BY_LANGUAGE = {code: phrases | _LISTS[EVERYWHERE] for code, phrases in _LISTS.items()}
_ALL = reduce(or_, _LISTS.values())
_LONGEST = max(map(len, _ALL.closers | _ALL.fillers | _ALL.lead_ins))
