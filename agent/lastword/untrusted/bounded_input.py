"""Reads what files and dispatches say, within bounds of size, depth and values.

Whoever writes an input decides what is in it, so nothing here takes more memory or time than the
bounds allow, and whatever is wrong is one ``BadInput``. The caller turns it into its own error.
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
"""Lists and mappings inside each other; Python's stack and the packers of checkpoints hold more."""
MAX_VALUES = 200_000
"""Values of a YAML file; each takes about a kilobyte while it is read."""
_INTEGERS = range(-(2**63), 2**64)
"""What databases and MessagePack hold."""
_MAX_DIGITS = 20
_LONGEST_NUMBER = 400
"""Characters; every double can be written with fewer."""
_MAX_TOML_SIZE = MIB
"""The pyproject.toml of a large project has some 100 KiB."""
_MAX_KEY_PARTS = 32
"""Names in a dotted key of TOML, for which ``tomllib`` takes time with their number cubed."""

_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_NOT_SHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_LONG_KEY = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+)"""
    rf"{{{_MAX_KEY_PARTS}}}"
)


class BadInput(Exception):
    """An input cannot be used.

    Args:
        why: continues a sentence that begins with the input's name: "is not JSON".
        line: from 1; None where it is not known.
    """

    def __init__(self, why: str, line: int | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.line = line

    @property
    def where(self) -> str:
        """The line as the end of a file's name, as in ``call.yaml:7``; "" without one."""
        return "" if self.line is None else f":{self.line}"


def is_there(path: Path) -> bool:
    """Whether there is something of that name that is no folder, and it can be asked about."""
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):  # a name that is too long, or a folder that is closed to us
        return False


def read_text(path: Path, limit: int) -> str:
    """Read a regular file of UTF-8 text; every line's end becomes a line feed.

    Args:
        path: of the file. A pipe or a device, which could be endless, is refused unread.
        limit: in bytes.

    Raises:
        FileNotFoundError: there is none.
        BadInput: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        data = _content(path, limit)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}") from error
    except ValueError as error:  # of a name with NUL in it
        raise BadInput(f"cannot be read: {error}") from error
    if len(data) > limit:
        raise BadInput(f"is too large: {_size(limit)} is the most that is read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput("cannot be read: it is not UTF-8 text; save it as such", line) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _content(path: Path, limit: int) -> bytes:
    """The first ``limit`` bytes of a regular file, and one more if it has more."""
    # Without O_NONBLOCK the opening of a pipe waits for somebody who writes into it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BadInput("is not a regular file; give one")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(limit + 1)
    finally:
        os.close(descriptor)


def read_json(text: str, limit: int) -> Any:
    """Read JSON that is plain, as ``check_plain`` says.

    Raises:
        BadInput: it is not, or has more than ``limit`` characters.
    """
    if len(text) > limit:
        raise BadInput(f"is too large: {_size(limit)} is the most that is read")
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
    raise BadInput(f"has {name}, which is no number; leave it out or write null")


_TOO_BIG = "which 64 bits do not hold; put it into quotes"
_TOO_DEEP = f"is nested too deeply: {MAX_DEPTH} lists or objects inside each other are the most"


def check_plain(value: object, depth: int = 0) -> None:
    """Check that a value is plain JSON, which every database and every library can keep.

    That is: at most ``MAX_DEPTH`` lists and objects inside each other, keys that are texts, finite
    numbers of 64 bits, and text that is Unicode, without NUL, which PostgreSQL does not keep.

    Raises:
        BadInput: it is something else.
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
            raise BadInput(f"has a value of the type {type(value).__name__}, unknown to JSON")


def _check_key(key: object) -> None:
    if not isinstance(key, str):
        raise BadInput(f"has the key {quoted(key)}, which is no text; put it into quotes")
    _check_text(key)


def _check_number(number: float) -> None:
    if isinstance(number, int):
        if number not in _INTEGERS:
            raise BadInput(f"has a number {_TOO_BIG}")
    elif not math.isfinite(number):
        _no_number(str(number))


def _check_text(text: str) -> None:
    if found := _NOT_TEXT.search(text):
        raise BadInput(f"has the character U+{ord(found[0]):04X} in {quoted(text)}: leave it out")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        FileNotFoundError: there is none.
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
    except ValueError as error:  # also of integers with thousands of digits
        raise BadInput(f"is not TOML: {excerpt(str(error), 200)}") from error


class _PythonParser(Reader, Scanner, Parser):
    """What PyYAML has when it was built without libyaml; some thirty times slower."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


_Parser: Any = vars(yaml.cyaml)["CParser"] if yaml.__with_libyaml__ else _PythonParser


class _Loader(Composer, _Parser, SafeConstructor, Resolver):  # type: ignore[misc]
    """YAML without aliases, merge keys and tags, so that a value is as large as it is written.

    "no", "9:30" and dates are words, as people who write conversations expect.
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
        """Compose a value, if it is one that is read."""
        event: Any = self.peek_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise BadInput(f"has the alias {quoted(f'*{event.anchor}')}; write the value out", line)
        if event.tag not in (None, "!", _STR):
            raise BadInput(f"has the tag {quoted(event.tag)}; tags are not read", line)
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
        """Compose a word or a number."""
        node = super().compose_scalar_node(anchor)
        line = node.start_mark.line + 1
        if found := self._forbidden.search(node.value):
            raise BadInput(f"has the character U+{ord(found[0]):04X}: leave it out", line)
        if node.tag == "tag:yaml.org,2002:merge":
            raise BadInput("has the merge key `<<`; write the fields out", line)
        return node

    def plain_int(self, node: yaml.ScalarNode) -> int | str:
        """A number; more digits than 64 bits hold are words."""
        number = int(node.value)
        return number if number in _INTEGERS else node.value

    def plain_float(self, node: yaml.ScalarNode) -> float:
        """A finite number."""
        number = float(node.value)
        if not math.isfinite(number):
            raise BadInput(f"has the number {node.value}, {_TOO_BIG}", node.start_mark.line + 1)
        return number

    def plain_mapping(self, node: yaml.MappingNode) -> dict[Any, Any]:
        """A field that is written twice would count once; YAML forbids it, PyYAML does not."""
        seen: set[str] = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise BadInput("has a list or a mapping for a field's name", line)
            if key.value in seen:
                name = excerpt(key.value, 80)
                raise BadInput(f"`{name}` is there twice; for several write a list", line)
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
    """Read YAML of plain values; returns the tree with its lines, and what it says.

    With ``controls`` a text may have control characters, as escapes: nobody has written it to be
    spoken or shown.

    Raises:
        BadInput: it is not YAML, exceeds a bound, or has aliases, merge keys, tags, fields that are
            written twice or characters that are no text.
    """
    try:
        loader = _Loader(text, _NOT_TEXT if controls else _NOT_SHOWN)
        try:
            node = loader.get_single_node()
            return node, None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        last = text.count("\n") + (not text.endswith("\n"))  # a mark may be behind the end
        line = min(error.problem_mark.line + 1, last) if error.problem_mark else None
        raise BadInput(f"is not YAML: {excerpt(str(error.problem), 200)}", line) from error
    except (yaml.YAMLError, ValueError, ArithmeticError) as error:
        why = excerpt(" ".join(str(error).split()), 200)
        raise BadInput(f"is not YAML: {why}") from error


class _Dumper(yaml.SafeDumper):
    """YAML that ``read_yaml`` reads: what is there twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's
        return True


def write_yaml(content: object) -> str:
    """Write plain values as YAML text that ``read_yaml`` reads."""
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


def _size(limit: int) -> str:
    return f"{limit // MIB} MiB" if limit >= MIB else f"{limit // KIB} KiB"
