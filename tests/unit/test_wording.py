"""Words are compared as people do."""

from __future__ import annotations

import pytest

from lastword.testing.wording import contains, fits, heard_until, same_words


@pytest.mark.parametrize(
    ("pattern", "text", "same"),
    [
        ("Hello!", "hello", True),
        ("hello", "hello there", False),
        ("there", "hello there", False),
        ("Don't", "don\N{RIGHT SINGLE QUOTATION MARK}t", True),
        ("Hello, ... Anna Lindt?", "Hello, this is Oak. Am I speaking with Anna Lindt?", True),
        ("Hello ... Anna", "Hello, Anna Lindt", False),
        ("... goodbye!", "Thank you. Goodbye!", True),
        ("Hello ...", "hello there you", True),
        ("a ... b ... c", "a x b y b c", True),
        ("a ... b ... c", "a x c b", False),
        ("a ... a", "a", False),
        ("...", "", True),
        ("", "", True),
        ("", "x", False),
        ("auf Wiederhören", "Auf Wiederhören.", True),
    ],
)
def test_a_text_says_what_its_pattern_says(pattern: str, text: str, *, same: bool) -> None:
    assert same_words(pattern, text) is same


def test_words_are_found_whole() -> None:
    assert contains("Tuesday, at half past ten.", "half past ten")
    assert not contains("Tuesday, at half past eleven.", "half past el")
    assert contains("日本語です。", "日本"), "languages without spaces have words too"


@pytest.mark.parametrize(
    ("words", "heard"),
    [
        ("thank you Anna", "Thank you, Anna."),
        ("Thank", "Thank"),
        ("Goodbye", "Thank you, Anna. Your visit is confirmed. Goodbye!"),
        ("Good day", None),
        ("", None),
    ],
)
def test_what_was_heard_ends_with_the_words_and_their_stop(words: str, heard: str | None) -> None:
    assert heard_until("Thank you, Anna. Your visit is confirmed. Goodbye!", words) == heard


@pytest.mark.parametrize(
    ("pattern", "items", "fit"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a"], ["a", "b"], False),
        (["...", "b"], ["a", "x", "b"], True),
        (["a", "..."], ["a"], True),
        (["a", "...", "c"], ["a", "b"], False),
        ([], [], True),
    ],
)
def test_a_way_fits_its_pattern(pattern: list[str], items: list[str], *, fit: bool) -> None:
    assert fits(pattern, items) is fit


def test_a_way_of_many_gaps_is_compared_at_once() -> None:
    items = ["ask", "answer"] * 200
    assert fits(["...", "ask"] * 100 + ["..."], items)
    assert not fits(["...", "ask"] * 100, items)
