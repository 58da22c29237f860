"""What strangers wrote is made fit to be shown, and stays readable."""

from __future__ import annotations

import time
import xml.sax.saxutils
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lastword.errors import BrokenGraph, GraphServerError, LastwordError, MemoryUnavailable
from lastword.untrusted.printable import block, lines_of, one_line, public_url, without_secrets
from tests.fakes.hostile import ALL, steers

ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.text("\n\r\x1b\x9b[a ", max_size=8)


@given(ANY_TEXT)
@example(ALL)
def test_a_line_is_printable_whatever_is_in_it(text: str) -> None:
    line = one_line(text)
    assert steers(line) == []
    assert "\n" not in line
    assert one_line(line) == line
    line.encode("utf-8")
    ElementTree.fromstring(f"<a>{xml.sax.saxutils.escape(line)}</a>")  # noqa: S314 - our own


@given(ANY_TEXT)
@example(ALL)
def test_a_block_keeps_its_lines_and_nothing_else_that_steers(text: str) -> None:
    assert steers(block(text)) == []
    assert block(text).count("\n") == text.count("\n")
    assert block(text).split("\n") == lines_of(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\rb\tc\nd", r"a\rb\tc\nd"),
        ("\x9b2J \u202e", r"\x9b2J \u202e"),
        ("\ud83d", r"\ud83d"),
        ("\U000e0041", r"\U000e0041"),
        ("C:\\new", "C:\\new"),
        ("Grüße, 你好, été\u00a0!, 👋🏽, \u3000ok", "Grüße, 你好, été\u00a0!, 👋🏽, \u3000ok"),
    ],
)
def test_what_cannot_be_printed_is_shown_as_an_escape_and_the_rest_as_it_is(
    text: str, shown: str
) -> None:
    assert one_line(text) == shown


def test_lines_end_as_windows_ends_them_too() -> None:
    assert lines_of("one\r\ntwo\rthree\n") == ["one", r"two\rthree", ""]


@pytest.mark.parametrize("error", [LastwordError(ALL, ALL), BrokenGraph(ALL, ALL, ALL)])
def test_an_error_is_printable_by_itself(error: LastwordError) -> None:
    assert steers(str(error)) == []
    assert str(error).count("\n") == len(error.args) - 1


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host", "http://host"),
        ("https://host:8123/a/b", "https://host:8123/a/b"),
        ("http://anna:secret@host/path?token=secret#secret", "http://host/path"),
        ("http://secret@host", "http://host"),
        ("http://anna:se%40cret%2F@host:1", "http://host:1"),
        ("http://anna:se:c@ret@host/", "http://host/"),
        ("http://anna:p/secret@host/", "http://..."),
        ("http://anna:p?secret@host/", "http://..."),
        ("http://anna:p#secret@host/", "http://..."),
        ("http://anna:p\\secret@host/", "http://..."),
        ("http://anna:secret", "http://..."),
        ("http://anna:70000", "http://..."),
        ("http://host?token=se@cret", "http://..."),
        ("http://anna:secret@", "http://..."),
        ("ws://[::1]:7880/x", "ws://[::1]:7880/x"),
        ("anna:secret@host/", "..."),
        ("anna:secret://host/", "..."),
        ("secret", "..."),
        ("", "..."),
        ("http://host/\x1b[2J", r"http://host/\x1b[2J"),
    ],
)
def test_a_url_is_shown_without_what_may_be_a_secret(url: str, shown: str) -> None:
    assert public_url(url) == shown
    assert "secret" not in shown


@given(ANY_TEXT)
def test_a_password_is_never_shown(password: str) -> None:
    for url in (f"http://anna:{password}Zq9@host/", f"http://host/?key={password}Zq9"):
        assert "Zq9" not in public_url(url)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no http://a:secret@h/p?t=secret, no", "no http://h/p, no"),
        ("for url 'http://a:secret@h:1/p'", "for url 'http://h:1/p'"),
        ("at http://h:8123: refused", "at http://h:8123: refused"),
        ("(postgresql://a:secret@h/d)", "(postgresql://h/d)"),
        ("host=h password=secret user=a", "host=h password=... user=a"),
        ("password='sec\\'ret secret'", "password=..."),
    ],
)
def test_the_words_of_other_programs_are_quoted_without_secrets(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


@pytest.mark.parametrize(
    "error",
    [
        GraphServerError("http://anna:secret@host/?token=secret", "does not answer"),
        GraphServerError("http://anna:p/secret@host", "does not answer"),
        MemoryUnavailable("postgresql://host/d", "bad dsn 'postgresql://anna:secret@host/d'"),
        MemoryUnavailable("postgresql://host/d", 'bad dsn "host=h password=secret"'),
        BrokenGraph("g", "m:g", "InvalidURL: https://anna:secret@host/?key=secret"),
    ],
)
def test_an_error_names_no_password(error: LastwordError) -> None:
    assert "secret" not in str(error)
    assert "secret" not in repr(error)


@pytest.mark.parametrize("text", ["a" * 200_000, "a." * 100_000, "a://" * 50_000, "=" * 200_000])
def test_the_words_of_other_programs_are_read_in_no_time(text: str) -> None:
    began = time.process_time()
    without_secrets(text)
    assert time.process_time() - began < 1
