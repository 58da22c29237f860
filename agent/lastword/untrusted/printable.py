r"""What others wrote, made fit to be shown: text steers no terminal, URLs have no secrets (pure).

Callers, graphs, models, files and the names of files are strangers here. Unicode says what is not
printable (``str.isprintable``): control characters of both sets (C0 with ESC, C1 with CSI), marks
that turn the direction of writing, zero-width characters, line separators, lone surrogates that no
terminal takes, and what XML must not hold even when it is escaped. Each is shown as Python writes
it in a string, such as ``\x1b`` or ``\u202e``.
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
    r"""Text that stays on its line: a new line in it is shown as ``\n``."""
    text = str(text)
    return text if text.isprintable() else "".join(map(_shown, text))


def lines_of(text: object) -> list[str]:
    """The lines of a text that may have several, each of them printable."""
    return [one_line(line) for line in str(text).replace("\r\n", "\n").split("\n")]


def block(text: object) -> str:
    """Text that may have several lines, where a line of it cannot be taken for another's."""
    return "\n".join(lines_of(text))


def markdown(text: object) -> str:
    """Text on one line in which Markdown finds no markup and no HTML."""
    return _MARKDOWN.sub(r"\\\g<0>", one_line(text))


def excerpt(text: object, limit: int) -> str:
    """One line of at most about ``limit`` characters: of a long text the beginning and the end."""
    text = str(text)
    if len(text) > limit:
        text = f"{text[: limit - limit // 3]}...{text[len(text) - limit // 3 :]}"
    return one_line(text)


def quoted(value: object) -> str:
    """A value as a message shows it, whoever wrote it: short, and on one line."""
    return excerpt(repr(value), _LONGEST_VALUE)


def public_url(url: str) -> str:
    """A URL as it may be shown: without user, password, query and fragment.

    A part that cannot be told apart from a piece of a password, such as one before an ``@`` that
    was not written as ``%40``, is left out too; then only the scheme may be left.
    """
    scheme, found, rest = url.partition("://")
    if not found or not _SCHEME.fullmatch(scheme):
        return "..."
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    if scheme == "sqlite" and not authority:  # a path, and nobody's password
        return one_line(url)
    host = authority.rpartition("@")[2]
    is_host = _HOST_AND_PORT.fullmatch(host)
    if "@" in rest[len(authority) :] or not is_host or int(is_host[1] or 0) > _PORTS:
        return f"{scheme}://..."
    path = re.split(r"[?#]", rest[len(authority) :], maxsplit=1)[0]
    return one_line(f"{scheme}://{host}{path}")


def is_clear_url(url: str) -> bool:
    """Whether it is certain which part of a URL is its host; ``public_url`` shows it then."""
    return not public_url(url).endswith("...")


def without_secrets(text: str) -> str:
    """Text of other programs, such as an error's: each URL as ``public_url`` shows it."""
    return _PASSWORD.sub(r"\1...", _URL.sub(lambda found: public_url(found[0]), text))


def _shown(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")
