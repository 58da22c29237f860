r"""Make untrusted text safe to show: no control characters, and no secrets in URLs (pure code).

Text from callers, graphs, models, files and file names is untrusted. Unicode defines what is not
printable (``str.isprintable``): control characters of both sets (C0 with ESC, C1 with CSI), marks
that change the direction of writing, zero-width characters, line separators, lone surrogates, which
no terminal accepts, and characters that XML forbids even when escaped. Each is shown as a Python
escape, such as ``\x1b`` or ``\u202e``.
"""

from __future__ import annotations

import re
import unicodedata

_HOST_AND_PORT = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_URL = re.compile(rf"(?<![A-Za-z0-9+.-]){_SCHEME.pattern}://[^\s'\"<>]*[^\s'\"<>.,:;)\]}}]")
_PASSWORD = re.compile(r"(?i)(password\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^\s&'\"]+)")
_MARKDOWN = re.compile(r"[\\`*_<>|\[&~#$]")
_PORTS = 65_535
_LONGEST_VALUE = 80


def one_line(text: object) -> str:
    r"""Printable text on one line; a line break in it is shown as ``\n``."""
    text = str(text)
    return text if text.isprintable() else "".join(map(_shown, text))


def lines_of(text: object) -> list[str]:
    """The lines of a text, each made printable."""
    return [one_line(line) for line in str(text).replace("\r\n", "\n").split("\n")]


def block(text: object) -> str:
    """Printable text that keeps its line breaks."""
    return "\n".join(lines_of(text))


def markdown(text: object) -> str:
    """Printable text on one line, with Markdown markup and HTML escaped."""
    return _MARKDOWN.sub(r"\\\g<0>", one_line(text))


def excerpt(text: object, limit: int) -> str:
    """One line of at most about ``limit`` characters; a long text keeps beginning and end."""
    text = str(text)
    if len(text) > limit:
        text = f"{text[: limit - limit // 3]}...{text[len(text) - limit // 3 :]}"
    return one_line(text)


def quoted(value: object) -> str:
    """The ``repr`` of an untrusted value for a message: short, and on one line."""
    return excerpt(repr(value), _LONGEST_VALUE)


def public_url(url: str) -> str:
    """A URL for messages: without user, password, query and fragment.

    Parts that might belong to a password, such as the text before an unescaped ``@``, are left out
    too. In that case only the scheme may remain.
    """
    scheme, found, rest = url.partition("://")
    if not found or not _SCHEME.fullmatch(scheme):
        return "..."
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    if scheme == "sqlite" and not authority:  # a path, without a password
        return one_line(url)
    host = authority.rpartition("@")[2]
    is_host = _HOST_AND_PORT.fullmatch(host)
    if "@" in rest[len(authority) :] or not is_host or int(is_host[1] or 0) > _PORTS:
        return f"{scheme}://..."
    path = re.split(r"[?#]", rest[len(authority) :], maxsplit=1)[0]
    return one_line(f"{scheme}://{host}{path}")


def is_clear_url(url: str) -> bool:
    """Whether the host of a URL is unambiguous, so that ``public_url`` shows it."""
    return not public_url(url).endswith("...")


def without_secrets(text: str) -> str:
    """Text of another program, such as an error, with secrets removed.

    Each URL is shown as ``public_url`` shows it, and ``password=...`` without its value.
    """
    return _PASSWORD.sub(r"\1...", _URL.sub(lambda found: public_url(found[0]), text))


def _shown(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")
