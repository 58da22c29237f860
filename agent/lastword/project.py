"""Read ``[tool.lastword]`` from the pyproject.toml in the folder of a project's langgraph.json."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from lastword.errors import SettingsError
from lastword.untrusted.bounded_input import BadInput, read_toml
from lastword.untrusted.printable import quoted

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Project:
    """A project's folder and its ``[tool.lastword]`` table; ``content`` is empty without one."""

    folder: Path
    content: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """Path of the pyproject.toml; the file may not exist."""
        return self.folder / "pyproject.toml"

    def setting(self, key: str, kind: type[_Value], example: str) -> _Value | None:
        """Read one setting; None when it is not set.

        Args:
            key: dotted path below ``[tool.lastword]``: ``"call.scripts"``.
            kind: type of the value, such as ``str`` or ``list[str]``.
            example: a valid value in TOML, for the error message.

        Raises:
            SettingsError: the value has another type, or a parent in ``key`` is not a table.
        """
        *tables, name = key.split(".")
        found: Any = self.content
        for number, table in enumerate(tables):
            found = found.get(table, {})
            if not isinstance(found, dict):
                raise SettingsError(
                    f"{self.file}: tool.lastword.{'.'.join(tables[: number + 1])} must be a table"
                )
        if name not in found:
            return None
        try:
            return TypeAdapter(kind).validate_python(found[name], strict=True)
        except ValidationError as error:
            where = ".".join(["tool.lastword", *tables])
            raise SettingsError(
                f"{self.file}: [{where}] {name} must have the form {name} = {example}"
            ) from error

    def path(self, key: str, example: str) -> Path | None:
        """Read a path relative to the project's folder; None when it is not set.

        Raises:
            SettingsError: as for ``setting``.
        """
        given = self.setting(key, str, example)
        return None if given is None else self.folder / given

    def load(self, key: str, example: str) -> Any:
        """Import the object of a setting ``package.module:name``; None when it is not set.

        Raises:
            SettingsError: as for ``setting``, or the object cannot be imported.
        """
        spec = self.setting(key, str, example)
        if spec is None:
            return None
        module, _, name = spec.partition(":")
        find_modules_in(self.folder)
        try:
            return getattr(importlib.import_module(module), name)
        except (Exception, SystemExit) as error:
            why = " ".join(f"{type(error).__name__}: {error}".split())
            raise SettingsError(
                f"{self.file}: tool.lastword.{key} = {quoted(spec)} does not load ({why}); name a "
                f"function by its module, such as {example}"
            ) from error


def read_project(config: Path) -> Project:
    """Read the pyproject.toml in the folder of ``config`` (a ``langgraph.json``); it may not exist.

    Raises:
        SettingsError: the pyproject.toml is not valid TOML, or ``tool.lastword`` is not a table.
    """
    file = project_file(config)
    try:
        found = lastword_table(file)
    except BadInput as error:
        raise SettingsError(f"{file}{error.where} {error.why}") from error
    if not isinstance(found, dict):
        raise SettingsError(f"{file}: tool.lastword must be a table")
    return Project(file.parent, found)


def project_file(config: Path) -> Path:
    """The pyproject.toml in the folder of ``config``; it may not exist."""
    return config.resolve().parent / "pyproject.toml"


def lastword_table(file: Path) -> Any:
    """The value of ``tool.lastword`` in a pyproject.toml; {} without the file or the value.

    Raises:
        BadInput: the file is not valid TOML, or exceeds a limit.
    """
    try:
        content = read_toml(file)
    except FileNotFoundError:
        return {}
    match content:
        case {"tool": {"lastword": found}}:
            return found
        case _:
            return {}


def find_modules_in(folder: Path) -> None:
    """Put ``folder`` first on ``sys.path``, so that the project's own packages are found."""
    if (beside := str(folder)) not in sys.path:
        sys.path.insert(0, beside)
