"""Reads transcripts from YAML files; an error names file, line and field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lastword.errors import TranscriptError
from lastword.testing.transcripts.transcript import (
    STEPS,
    AtMost,
    Ended,
    ModelAnswer,
    Step,
    Transcript,
)
from lastword.untrusted.bounded_input import KIB, BadInput, read_text, read_yaml
from lastword.untrusted.printable import excerpt, quoted

_TOP = set(Transcript.model_fields) - {"path", "ended_line"}


MAX_SIZE = 256 * KIB
"""Bytes. Lastword's longest transcript has 4 KiB; reading much larger files takes seconds."""


def read_transcript(path: Path) -> Transcript:
    """Read a transcript.

    Raises:
        TranscriptError: the file is not a valid transcript; the message names the file, the line
            and the field.
    """
    try:
        node, content = read_yaml(read_text(path, MAX_SIZE))
    except FileNotFoundError as error:
        raise TranscriptError(path, None, "there is no such file") from error
    except BadInput as error:
        raise TranscriptError(path, error.line, error.why) from error
    if not isinstance(content, dict) or not isinstance(node, yaml.MappingNode):
        raise TranscriptError(
            path, 1, "has no fields; it needs `turns:` with a list of `- caller: words`"
        )
    return _read(path, content, node)


def _read(path: Path, content: Mapping[str, Any], node: yaml.MappingNode) -> Transcript:
    lines = _Lines(path, node)
    lines.check_names((), set(map(str, content)), _TOP)
    lines.check_filled((), content)
    turns = content.get("turns")
    if not isinstance(turns, list):
        raise lines.error(
            ("turns",), f"`turns` must be a list of `- caller: words`, not {quoted(turns)}"
        )
    steps = [_step(lines, ("turns", number), turn) for number, turn in enumerate(turns)]
    fields = {**content, "turns": steps, "path": path, "ended_line": lines.at(("ended",))}
    try:
        return Transcript.model_validate(fields)
    except ValidationError as error:
        raise lines.wrong((), error) from error


def _step(lines: _Lines, where: tuple[str | int, ...], turn: object) -> Step:
    if not isinstance(turn, dict):
        raise lines.error(where, f"a turn must be `caller: words`, not {quoted(turn)}")
    kinds = [name for name in STEPS if name in turn]
    if len(kinds) > 1:
        raise lines.error(where, f"`{kinds[0]}` and `{kinds[1]}` must be two turns")
    if not kinds:
        names = ", ".join(f"`{name}`" for name in STEPS)
        close = _close(map(str, turn), STEPS)
        raise lines.error(
            (*where, next(iter(turn), "")), f"a turn needs one of the fields {names}{close}"
        )
    if kinds[0] == "agent" and isinstance(turn["agent"], dict):  # `- agent: {says: ...}`
        turn = {"agent": None, **turn["agent"], **{k: v for k, v in turn.items() if k != "agent"}}
    kind = STEPS[kinds[0]]
    lines.check_names(where, set(map(str, turn)), set(kind.model_fields) - {"line"})
    lines.check_filled(where, turn)
    fields = {**turn, "line": lines.at(where)}
    if kinds[0] == "silence" and turn["silence"] is None:
        del fields["silence"]
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise lines.wrong(where, error) from error


class _Lines:
    """Finds the line of a field in the file."""

    def __init__(self, path: Path, root: yaml.MappingNode) -> None:
        self._path = path
        self._root = root

    def at(self, where: tuple[str | int, ...]) -> int:
        """Return the line of a field, from 1; for a missing field, that of the enclosing one."""
        node: yaml.Node = self._root
        line = node.start_mark.line
        for name in where:
            found = _inside(node, name)
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
        return line + 1

    def error(self, where: tuple[str | int, ...], why: str) -> TranscriptError:
        return TranscriptError(self._path, self.at(where), why)

    def check_names(self, where: tuple[str | int, ...], given: set[str], known: set[str]) -> None:
        """Raise TranscriptError for an unknown field."""
        for name in sorted(given - known):
            raise self.error((*where, name), f"unknown field {quoted(name)}{_close([name], known)}")

    def check_filled(self, where: tuple[str | int, ...], fields: Mapping[str, Any]) -> None:
        """Raise TranscriptError for a field without a value, which would check nothing."""
        for name, value in fields.items():
            if value is None and name not in ("agent", "silence"):
                raise self.error((*where, name), f"`{name}`: has no value")

    def wrong(self, where: tuple[str | int, ...], error: ValidationError) -> TranscriptError:
        """Turn pydantic's error into one sentence.

        For a field of several types, it is about the type that the author most likely meant.
        """
        first = max(error.errors(), key=_tells)
        loc = first["loc"]
        unknown = loc[-1:] if first["type"] == "extra_forbidden" else ()
        found = (*(part for part in loc if isinstance(part, int) or part in _NAMES), *unknown)
        names = (part for part in dict.fromkeys(found) if isinstance(part, str))
        field = excerpt(".".join(names), 80)
        why = first["msg"].removeprefix("Value error, ")
        why = _SENTENCES.get(first["type"], why[:1].lower() + why[1:])
        shows = first["type"] not in _SELF_EVIDENT
        given = f", not {quoted(first['input'])}" if shows else ""
        return self.error((*where, *found), f"{f'`{field}`: ' if field else ''}{why}{given}")


_NAMES = {
    name
    for model in (Transcript, *STEPS.values(), Ended, AtMost, ModelAnswer)
    for name in model.model_fields
}
_SELF_EVIDENT = ("value_error", "missing", "extra_forbidden", "too_short", "too_long")
_SENTENCES = {
    "string_type": "must be words; put them in quotes",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of names to values",
    "missing": "is missing",
    "too_long": "must name one tool only; write one list entry for each tool",
    "too_short": "must not be empty",
    "bool_type": "must be true or false",
    "extra_forbidden": "there is no such field here",
}


def _tells(error: ErrorDetails) -> tuple[int, bool]:
    """Rank an error; deeper is better, and for a mapping "must be words" is the worst."""
    is_words = error["type"] == "string_type"
    return len(error["loc"]), not (is_words and isinstance(error["input"], dict))


def _inside(node: yaml.Node, name: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the node at which a field or list entry begins, and its value; None: not there."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == name), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(name, int) and name < len(node.value):
        return node.value[name], node.value[name]
    return None


def _close(given: Iterable[str], known: Iterable[str]) -> str:
    for name in given:
        if found := get_close_matches(name, list(known), n=1):
            return f" (did you mean {found[0]!r}?)"
    return ""
