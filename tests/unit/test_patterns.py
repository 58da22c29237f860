"""Regular expressions of users are compiled and searched in bounded time."""

from __future__ import annotations

import time

import pytest

from lastword.untrusted.patterns import (
    MAX_LENGTH,
    SECONDS,
    BadPattern,
    SlowPattern,
    compile_pattern,
    search_all,
)

SAID = "Thank you, Jürgen Groß. It is at 10:30."


@pytest.mark.parametrize(
    ("pattern", "is_found"),
    [
        ("^thank .*10:30", True),
        (r"\d{1,2}:\d{2}\.$", True),
        (r"\bJÜRGEN\b", True),
        (r"(?!.*sorry)thank", True),
        (r"(?<=at )\d+", True),
        (r"(r)g.*\1", True),
        ("thank you,$", False),
        ("(?i:goodbye|see you)", False),
    ],
)
def test_a_pattern_is_found_in_any_case_as_re_finds_it(pattern: str, *, is_found: bool) -> None:
    assert list(search_all([pattern], SAID)) == [(pattern, is_found)]


SLOW = [
    (r"(a+)+$", "a" * 5000 + "!"),
    (r"(a|aa)+$", "a" * 40 + "!"),
    (r"(a+)+\1{3,}b$", "a" * 5000),
    (r"(a?){30}a{30}b", "a" * 5000),
    (r"(a{1,1000}){1,1000}b", "a" * 5000),
    (r"((a{1,100}){1,100}){1,100}$", "a" * 40 + "!"),
    (r"(?=a*(?=a*(?=a*(?=a*b))))", "a" * 5000),
    (".*" * 200 + "x", "x" * 200 + "a b " * 500),
]


@pytest.mark.parametrize(("pattern", "text"), SLOW)
def test_a_pattern_that_tries_everything_is_given_up(pattern: str, text: str) -> None:
    began = time.process_time()
    with pytest.raises(SlowPattern, match="takes more than 1 s: write it without nested repeats"):
        list(search_all([pattern], text))
    assert time.process_time() - began < 2 * SECONDS


def test_all_patterns_of_one_answer_have_their_time_together() -> None:
    began = time.process_time()
    with pytest.raises(SlowPattern):
        list(
            search_all(
                ["^(a{1,9}){1,9}" + "?" * (number % 2) + "b" for number in range(99)]
                + [r"(a|aa)+$"],
                "a" * 60 + "!",
            )
        )
    assert time.process_time() - began < 2 * SECONDS


REFUSED = [
    ("(", "is not a regular expression: missing"),
    ("[a", "is not a regular expression"),
    ("a**", "is not a regular expression"),
    ("\\", "is not a regular expression"),
    (r"\L<names>", "is not a regular expression"),
    ("a{5,1}", "is not a regular expression"),
    ("(" * 400, "has too many nested groups"),
    ("a" * (MAX_LENGTH + 1), "is longer than 500 characters"),
    ("(?:a){40000000}", "repeats too much"),
    ("(?x)(?:ab){ 2999999 }", "has the flag x"),
    ("(?x)(?:ab){#c\n2999999}", "has the flag x"),
    ("(?ix:(?:ab){ 2999999 })", "has the flag x"),
    ("(?V0x)(?:ab){ 2999999 }", "has the flag x"),
    ("((?:a?){99}){99999}", "repeats too much"),
    ("(((a{20}){20}){20}){20}", "repeats too much"),
    ("(?x) (a) {9999999}", "repeats too much"),
    ("(?<=a{9999999})b", "repeats too much"),
    ("a{" + "9" * 400 + "}", "repeats too much"),
    ("(?R)", "calls itself"),
    ("(a(?1)?b)", "calls itself"),
    ("(?P<x>a(?&x))", "calls itself"),
]


@pytest.mark.parametrize(("pattern", "why"), REFUSED)
def test_a_pattern_that_cannot_be_compiled_in_bounds_is_named(pattern: str, why: str) -> None:
    with pytest.raises(BadPattern) as raised:
        compile_pattern(pattern)
    assert why in str(raised.value)
    assert len(str(raised.value)) < 250


@pytest.mark.parametrize(
    "pattern", [r"(?:\w+ ){20}", r"\d{4}-\d{2}-\d{2}", "(?:a|b){250}", "a{0,999999}"]
)
def test_ordinary_counts_are_no_hindrance(pattern: str) -> None:
    compile_pattern(pattern)
