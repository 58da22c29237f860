"""Files and dispatches are read within bounds; what exceeds one is a sentence, at once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lastword.untrusted.bounded_input import (
    KIB,
    MAX_DEPTH,
    MAX_VALUES,
    BadInput,
    check_plain,
    read_json,
    read_text,
    read_toml,
    read_yaml,
    write_yaml,
)


def a_pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def a_hole(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(2**40)
    return path


def bytes_in(content: bytes) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return write


NO_FILES: list[tuple[Callable[[Path], Path], str]] = [
    (a_pipe, "is not a regular file"),
    (lambda path: path.parent, "is not a regular file"),
    (lambda _: Path("/dev/zero"), "is not a regular file"),
    (a_hole, "is too large: the limit is 1 KiB"),
    (bytes_in(b"x" * 1025), "is too large: the limit is 1 KiB"),
    (bytes_in(b"good\n\xff"), "it is not UTF-8 text"),
    (bytes_in("Grüße".encode("utf-16")), "it is not UTF-8 text"),
    (lambda path: path / ("x" * 5000), "cannot be read: File name too long"),
    (lambda path: path.with_name("a\0b"), "cannot be read: embedded null byte"),
]


@pytest.mark.parametrize(("make", "why"), NO_FILES)
def test_only_a_regular_file_of_text_within_its_bound_is_read(
    tmp_path: Path, make: Callable[[Path], Path], why: str
) -> None:
    with pytest.raises(BadInput, match=why):
        read_text(make(tmp_path / "input"), KIB)


def test_text_is_read_whole_up_to_the_bound_with_one_kind_of_line_end(tmp_path: Path) -> None:
    path = bytes_in(b"\xef\xbb\xbfa\r\nb\rc" + b"x" * 1015)(tmp_path / "input")
    assert read_text(path, KIB) == "a\nb\nc" + "x" * 1015


def merge_bomb(*, keys: str) -> str:
    first = "a0: &a0 {" + ", ".join(f"x{number}: 1" for number in range(10)) + "}"
    more = [
        f"a{level}: &a{level} {{{keys} [{', '.join([f'*a{level - 1}'] * 9)}]}}"
        for level in range(1, 9)
    ]
    return "\n".join([first, *more])


NO_YAML = [
    (merge_bomb(keys="<<:"), 2, "merge key"),
    (merge_bomb(keys="b:"), 2, "has the alias '*a0'"),
    ("a: &a [*a]", 1, "has the alias '*a'"),
    ("a: 1\n? <<\n: b", 2, "merge key"),
    ("a: 1\nb: !!merge {}", 2, "has the tag"),
    ("a: !!int '1'", 1, "has the tag"),
    ("a: !!python/object/apply:os.system [ls]", 1, "has the tag"),
    ("a: !" + "x" * 9000 + " b", 1, "has the tag"),
    ("a: " + "[" * 100_000, 1, "is nested too deeply"),
    ("a: " + "{" * 100_000, 1, "is nested too deeply"),
    ("- " * 100_000, 1, "is nested too deeply"),
    ("[" + "1," * MAX_VALUES + "]", 1, f"has more than {MAX_VALUES} values"),
    ('a:\n- "\\ud800"', 2, "is not YAML"),
    ('a:\n- "\\0"', 2, "has the character U+0000"),
    ('a:\n- "\\e[2J"', 2, "has the character U+001B"),
    ('"\\a": b', 1, "has the character U+0007"),
    ('a: "\\UFFFFFFFF"', 1, "is not YAML"),
    ("a: \x1b", None, "is not YAML"),
    ("a: 1.5e+999", 1, "which does not fit into 64 bits"),
    ("a: 1\na: 2", 2, "`a` appears twice"),
    ("a: 1\n? [b]\n: c", 2, "as a field's name"),
    ("a: 1\n--- \nb: 2", 2, "is not YAML"),
    ("a: [", 1, "is not YAML"),
]


@pytest.mark.parametrize(("text", "line", "why"), NO_YAML)
def test_yaml_that_is_larger_than_it_looks_or_no_text_is_refused(
    text: str, line: int | None, why: str
) -> None:
    with pytest.raises(BadInput) as raised:
        read_yaml(text)
    assert why in raised.value.why
    assert raised.value.line == line
    assert len(raised.value.why) < 300
    assert raised.value.why.isprintable()


def test_yaml_has_words_where_people_mean_words_and_numbers_that_fit() -> None:
    text = "[no, 9:30, 2026-11-23, 1_000, 0x1F, .inf, =, &a b, !!str 5, 7, -1.5, true, null]"
    words = ["no", "9:30", "2026-11-23", "1_000", "0x1F", ".inf", "=", "b", "5"]
    assert read_yaml(text)[1] == [*words, 7, -1.5, True, None]
    digits = "1" * 5000
    assert read_yaml(f"[{digits}, {2**64}, {2**64 - 1}, {-(2**63)}]")[1] == [
        digits,
        str(2**64),
        2**64 - 1,
        -(2**63),
    ]


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc <=:#é", min_size=1), inner),
)


@settings(deadline=None)
@given(PLAIN)
@example(0.00012345678901234567)
def test_what_is_written_as_yaml_is_read_as_it_was(value: Any) -> None:
    assert read_yaml(write_yaml([value, value]))[1] == [value, value]


NO_JSON = [
    ("[", "is not JSON (Expecting value"),
    ("[" * 100_000, "is nested too deeply"),
    ("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), "is nested too deeply"),
    ('{"a":' * (MAX_DEPTH + 2) + "1" + "}" * (MAX_DEPTH + 2), "is nested too deeply"),
    ("1" * 5000, "which does not fit into 64 bits"),
    (str(2**64), "which does not fit into 64 bits"),
    ("-" + "1" * 30, "which does not fit into 64 bits"),
    ("[1e999]", "which does not fit into 64 bits"),
    ("1." + "1" * 5000, "which does not fit into 64 bits"),
    ("[NaN]", "has NaN, which is not a JSON number"),
    ("[-Infinity]", "has -Infinity, which is not a JSON number"),
    ('["\\ud800"]', "has the character U+D800"),
    ('{"\\udfff": 1}', "has the character U+DFFF"),
    ('["\\u0000"]', "has the character U+0000"),
    ('["\udcff"]', "has the character U+DCFF"),
    ('"' + "x" * 300_000 + '"', "is too large: the limit is 256 KiB"),
]


@pytest.mark.parametrize(("text", "why"), NO_JSON)
def test_json_that_no_database_and_no_library_would_keep_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadInput) as raised:
        read_json(text, 256 * KIB)
    assert why in raised.value.why
    assert len(raised.value.why) < 300
    assert raised.value.why.isprintable()


@settings(deadline=None)
@given(st.text() | st.text('[]{}",:0123456789-+.eE\\ud8NaInfity ', max_size=200))
def test_json_is_read_or_refused_and_what_is_read_is_plain(text: str) -> None:
    try:
        value = read_json(text, KIB)
    except BadInput:
        return
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({1: "a"}, "has the key 1, which is not text"),
        ([b"x"], "a value of type bytes"),
        ({"a": {"b"}}, "a value of type set"),
        ([10**5000], "which does not fit into 64 bits"),
        ([float("nan")], "has nan, which is not a JSON number"),
    ],
)
def test_values_that_json_could_not_say_are_refused(value: object, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        check_plain(value)


NO_TOML = [
    ("a =", "is not TOML"),
    ("a = " + "[" * 50_000, "is nested too deeply"),
    ("a = " + "1" * 5000, "is not TOML: Exceeds the limit"),
    (".".join(["a"] * 50_000) + " = 1", "has a key of more than 32 parts"),
    (" . ".join(["'a'", '"b"', "c"] * 9000) + " = 1", "has a key of more than 32 parts"),
    ("[" + ".".join(["a"] * 50_000) + "]", "has a key of more than 32 parts"),
]


@pytest.mark.parametrize(("text", "why"), NO_TOML)
def test_toml_that_would_take_for_ever_or_break_its_reader_is_refused(
    tmp_path: Path, text: str, why: str
) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=why):
        read_toml(path)


def test_long_words_and_paths_are_toml(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(f'a = "{"x" * 200_000}"\nb = "{"../" * 90}"\nc.d."e.f" = "{"v1.2, " * 90}"')
    assert read_toml(path)["c"] == {"d": {"e.f": "v1.2, " * 90}}
