"""Read files and dispatches within bounds of size, depth and number of values.

The input is untrusted, so no function here takes more memory or time than the bounds allow. Every
fault in an input raises ``BadInput``, which the calling code converts to its own error.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any, NoReturn

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import Resolver
from yaml.scanner import Scanner

from lastword.untrusted.printable import excerpt, quoted

KIB = 2**10
MIB = 2**20
MAX_DEPTH = 64
"""Nested lists and mappings; Python's stack and the serialisers of checkpoints allow more."""
MAX_VALUES = 200_000
"""Values in a YAML file; each takes about a kilobyte during parsing."""
_INTEGERS = range(-(2**63), 2**64)
"""The integers that databases and MessagePack can store."""
_MAX_DIGITS = 20
_LONGEST_NUMBER = 400
"""Characters of a number; every double can be written with fewer."""
_MAX_TOML_SIZE = MIB
"""The pyproject.toml of a large project has about 100 KiB."""
_MAX_KEY_PARTS = 32
"""Parts of a dotted TOML key; ``tomllib`` takes time in proportion to the cube of their number."""

_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_NOT_SHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_LONG_KEY = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+)"""
    rf"{{{_MAX_KEY_PARTS}}}"
)


class BadInput(Exception):
    """An input cannot be used.

    Args:
        why: the rest of a sentence that begins with the input's name: "is not JSON".
        line: line number from 1; None if it is not known.
    """

    def __init__(self, why: str, line: int | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.line = line

    @property
    def where(self) -> str:
        """The line number as a suffix of the file name, as in ``call.yaml:7``; or ""."""
        return "" if self.line is None else f":{self.line}"


def is_there(path: Path) -> bool:
    """Whether ``path`` exists and is not a folder; False if that cannot be determined."""
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):  # the name is too long, or a folder is not readable
        return False


def read_text(path: Path, limit: int) -> str:
    """Read a regular file of UTF-8 text; every line ending becomes a line feed.

    Args:
        path: the file. A pipe or a device, which could be endless, is refused without reading it.
        limit: largest size in bytes.

    Raises:
        FileNotFoundError: the file does not exist.
        BadInput: the file cannot be read, is too large, or is not UTF-8.
    """
    try:
        data = _content(path, limit)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}") from error
    except ValueError as error:  # the name contains NUL
        raise BadInput(f"cannot be read: {error}") from error
    if len(data) > limit:
        raise BadInput(f"is too large: the limit is {_size(limit)}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput("cannot be read: it is not UTF-8 text; save it as UTF-8", line) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _content(path: Path, limit: int) -> bytes:
    """The first ``limit`` bytes of a regular file, and one more if it has more."""
    # Without O_NONBLOCK, opening a pipe blocks until another process opens it for writing.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BadInput("is not a regular file; name a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(limit + 1)
    finally:
        os.close(descriptor)


def read_json(text: str, limit: int) -> Any:
    """Read JSON whose value passes ``check_plain``.

    Raises:
        BadInput: it is not such JSON, or has more than ``limit`` characters.
    """
    if len(text) > limit:
        raise BadInput(f"is too large: the limit is {_size(limit)}")
    try:
        value = json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise BadInput(f"is not JSON ({error})", error.lineno) from error
    except RecursionError as error:
        raise BadInput(_TOO_DEEP) from error
    check_plain(value)
    return value


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS or int(digits) not in _INTEGERS:
        raise BadInput(f"has the number {quoted(digits)[1:-1]}, {_TOO_BIG}")
    return int(digits)


def _float(digits: str) -> float:
    if len(digits) > _LONGEST_NUMBER or not math.isfinite(float(digits)):
        raise BadInput(f"has the number {quoted(digits)[1:-1]}, {_TOO_BIG}")
    return float(digits)


def _no_number(name: str) -> NoReturn:
    raise BadInput(f"has {name}, which is not a JSON number; remove it or write null")


_TOO_BIG = "which does not fit into 64 bits; put it into quotes"
_TOO_DEEP = f"is nested too deeply: the limit is {MAX_DEPTH} nested lists or objects"


def check_plain(value: object, depth: int = 0) -> None:
    """Check that a value is plain JSON that every database and library can store.

    Plain means: at most ``MAX_DEPTH`` nested lists and objects, string keys, finite numbers of 64
    bits, and valid Unicode text without NUL, which PostgreSQL cannot store.

    Raises:
        BadInput: the value is not plain.
    """
    if depth > MAX_DEPTH:
        raise BadInput(_TOO_DEEP)
    match value:
        case None | bool():
            pass
        case str():
            _check_text(value)
        case int() | float():
            _check_number(value)
        case list() | tuple():
            for one in value:
                check_plain(one, depth + 1)
        case dict():
            for key, one in value.items():
                _check_key(key)
                check_plain(one, depth + 1)
        case _:
            raise BadInput(f"has a value of type {type(value).__name__}, which JSON does not have")


def _check_key(key: object) -> None:
    if not isinstance(key, str):
        raise BadInput(f"has the key {quoted(key)}, which is not text; put it into quotes")
    _check_text(key)


def _check_number(number: float) -> None:
    if isinstance(number, int):
        if number not in _INTEGERS:
            raise BadInput(f"has a number {_TOO_BIG}")
    elif not math.isfinite(number):
        _no_number(str(number))


def _check_text(text: str) -> None:
    if found := _NOT_TEXT.search(text):
        raise BadInput(f"has the character U+{ord(found[0]):04X} in {quoted(text)}; remove it")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        FileNotFoundError: the file does not exist.
        BadInput: it is not TOML, or exceeds a bound.
    """
    text = read_text(path, _MAX_TOML_SIZE)
    if found := _LONG_KEY.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise BadInput(f"has a key of more than {_MAX_KEY_PARTS} parts", line)
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise BadInput(_TOO_DEEP) from error
    except ValueError as error:  # also for integers with thousands of digits
        raise BadInput(f"is not TOML: {excerpt(str(error), 200)}") from error


class _PythonParser(Reader, Scanner, Parser):
    """PyYAML's parser for a build without libyaml; about thirty times slower."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


_Parser: Any = vars(yaml.cyaml)["CParser"] if yaml.__with_libyaml__ else _PythonParser


class _Loader(Composer, _Parser, SafeConstructor, Resolver):  # type: ignore[misc]
    """YAML without aliases, merge keys and tags, so that a value is never larger than its text.

    "no", "9:30" and dates are strings, as authors of conversations expect.
    """

    def __init__(self, text: str, forbidden: re.Pattern[str]) -> None:
        _Parser.__init__(self, text)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)
        self._forbidden = forbidden
        self._depth = 0
        self._values = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a value; refuse aliases, tags and values beyond the bounds."""
        event: Any = self.peek_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise BadInput(f"has the alias {quoted(f'*{event.anchor}')}; write the value out", line)
        if event.tag not in (None, "!", _STR):
            raise BadInput(f"has the tag {quoted(event.tag)}; remove it", line)
        self._values += 1
        if self._values > MAX_VALUES:
            raise BadInput(f"has more than {MAX_VALUES} values", line)
        if self._depth > MAX_DEPTH:
            raise BadInput(_TOO_DEEP, line)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        """Compose a scalar; refuse forbidden characters and merge keys."""
        node = super().compose_scalar_node(anchor)
        line = node.start_mark.line + 1
        if found := self._forbidden.search(node.value):
            raise BadInput(f"has the character U+{ord(found[0]):04X}; remove it", line)
        if node.tag == "tag:yaml.org,2002:merge":
            raise BadInput("has the merge key `<<`; write the fields out", line)
        return node

    def plain_int(self, node: yaml.ScalarNode) -> int | str:
        """An integer, or a string if it does not fit into 64 bits."""
        number = int(node.value)
        return number if number in _INTEGERS else node.value

    def plain_float(self, node: yaml.ScalarNode) -> float:
        """A finite float."""
        number = float(node.value)
        if not math.isfinite(number):
            raise BadInput(f"has the number {node.value}, {_TOO_BIG}", node.start_mark.line + 1)
        return number

    def plain_mapping(self, node: yaml.MappingNode) -> dict[Any, Any]:
        """A mapping; refuses duplicate keys, which YAML forbids and PyYAML accepts."""
        seen: set[str] = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise BadInput("has a list or a mapping as a field's name", line)
            if key.value in seen:
                name = excerpt(key.value, 80)
                raise BadInput(f"`{name}` appears twice; for several values, write a list", line)
            seen.add(key.value)
        return self.construct_mapping(node, deep=True)


_STR = "tag:yaml.org,2002:str"
_OTHERWISE = ("bool", "timestamp", "int", "float", "value")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, found) for tag, found in resolvers if not tag.endswith(_OTHERWISE)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("int", r"^-?(?:0|[1-9][0-9]{0,19})$", "-0123456789"),
    ("float", r"^-?[0-9]{1,18}\.[0-9]{1,22}(?:e[-+][0-9]{1,3})?$", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))
_Loader.yaml_constructors = {
    **SafeConstructor.yaml_constructors,
    "tag:yaml.org,2002:int": _Loader.plain_int,
    "tag:yaml.org,2002:float": _Loader.plain_float,
    "tag:yaml.org,2002:map": _Loader.plain_mapping,
}


def read_yaml(text: str, *, controls: bool = False) -> tuple[yaml.Node | None, Any]:
    """Read YAML of plain values; returns the node tree with line numbers, and the value.

    With ``controls``, strings may have escaped control characters: such text is neither spoken nor
    shown.

    Raises:
        BadInput: it is not YAML, exceeds a bound, or has aliases, merge keys, tags, duplicate
            fields or forbidden characters.
    """
    try:
        loader = _Loader(text, _NOT_TEXT if controls else _NOT_SHOWN)
        try:
            node = loader.get_single_node()
            return node, None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        last = text.count("\n") + (not text.endswith("\n"))  # a mark may be after the last line
        line = min(error.problem_mark.line + 1, last) if error.problem_mark else None
        raise BadInput(f"is not YAML: {excerpt(str(error.problem), 200)}", line) from error
    except (yaml.YAMLError, ValueError, ArithmeticError) as error:
        why = excerpt(" ".join(str(error).split()), 200)
        raise BadInput(f"is not YAML: {why}") from error


class _Dumper(yaml.SafeDumper):
    """YAML without aliases, as ``read_yaml`` requires: a repeated value is written in full."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def write_yaml(content: object) -> str:
    """Write plain values as YAML text that ``read_yaml`` accepts."""
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


def _size(limit: int) -> str:
    return f"{limit // MIB} MiB" if limit >= MIB else f"{limit // KIB} KiB"
