"""Findings that the project ignores, by comments in the source or a list in pyproject.toml."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lastword.errors import SettingsError
from lastword.project import lastword_table, project_file
from lastword.tools.check.report import REMOVED, Finding, Place
from lastword.untrusted.bounded_input import BadInput

_COMMENT = re.compile(r"#\s*lastword:\s*ignore\[([^\]]*)\]")


@dataclass
class Ignored:
    """The entries of pyproject.toml, and the entries and comments that have silenced a finding."""

    entries: Sequence[str] = ()
    source: str = "pyproject.toml"
    _used: set[str] = field(default_factory=set)
    _comments: set[tuple[Place, str]] = field(default_factory=set)

    def covers(self, finding: Finding) -> bool:
        """Whether a comment or an entry silences ``finding``; it then counts as used."""
        matching = {finding.code, finding.ignored_by}.intersection(self.entries)
        self._used |= matching
        here = {
            (place, finding.code)
            for place in (finding.place, *finding.also)
            if finding.code in comments(place.file).get(place.line, ())
        }
        self._comments |= here
        return bool(matching or here)

    def unused(self, files: Iterable[Path]) -> list[str]:
        """A sentence for each entry, and each comment in ``files``, that silenced no finding."""
        notes = [
            f"{self.source} ignores {entry!r}, {_why_unused(entry.rpartition(':')[2])}"
            for entry in self.entries
            if entry not in self._used
        ]
        for file in sorted(set(files)):
            for line, codes in sorted(comments(file).items()):
                notes += [
                    f"{shown(file)}:{line} ignores {code!r}, {_why_unused(code)}"
                    for code in codes
                    if (Place(file, line), code) not in self._comments
                ]
        return notes


def _why_unused(code: str) -> str:
    if code in REMOVED:
        return f"which is no longer checked: {REMOVED[code]}"
    return "which matches no finding"


def read_ignored(config: Path) -> Ignored:
    """Read ``[tool.lastword.check] ignore`` of the pyproject.toml beside ``config``.

    Raises:
        SettingsError: the file is not TOML, or the list is not a list of strings.
    """
    path = project_file(config)
    try:
        content = lastword_table(path)
    except BadInput as error:
        raise SettingsError(f"{shown(path)}{error.where} {error.why}") from error
    match content:
        case {"check": {"ignore": list(entries)}} if all(isinstance(one, str) for one in entries):
            return Ignored(entries, shown(path))
        case {"check": {"ignore": _}}:
            raise SettingsError(
                f"{shown(path)}: [tool.lastword.check] ignore must be a list of strings, such as"
                ' ["undeclared-goto"] or ["booking:ask:undeclared-goto"]'
            )
        case _:
            return Ignored()


@cache
def comments(file: Path) -> Mapping[int, Sequence[str]]:
    """Line of a source file → the codes that its comment ignores."""
    try:
        source = io.StringIO(file.read_text(encoding="utf-8"))
        tokens = list(tokenize.generate_tokens(source.readline))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return {}
    found = (
        (one.start[0], _COMMENT.search(one.string))
        for one in tokens
        if one.type == tokenize.COMMENT
    )
    return {line: [code.strip() for code in match[1].split(",")] for line, match in found if match}


def shown(path: Path) -> str:
    """A path for display: relative to the working directory if it is inside it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
