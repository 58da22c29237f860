"""What a project gives each of its test calls: keys of the graph's own runtime context."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lastword.errors import SettingsError
from lastword.project import read_project

ContextFactory = Callable[[Path], Mapping[str, Any]]
"""Called once for each call with a folder of its own, which is empty and is deleted after the call;
returns keys for the graph's context. For calls in a room they must be JSON."""


def no_context(_: Path) -> Mapping[str, Any]:
    """The context of a project that names none."""
    return {}


def context_factory(config: Path) -> ContextFactory:
    """The function that ``[tool.lastword.testing] context`` names, beside ``config``.

    Raises:
        SettingsError: what it names does not load or is not a function. The function that is
            returned raises it when the project's function returns no mapping.
    """
    project = read_project(config)
    made = project.load("testing.context", '"tests.calls:call_context"')
    if made is None:
        return no_context
    if not callable(made):
        raise SettingsError(f"{project.file}: tool.lastword.testing.context must be a function")

    def make(folder: Path) -> Mapping[str, Any]:
        context = made(folder)
        if not isinstance(context, Mapping):
            raise SettingsError(
                f"{project.file}: tool.lastword.testing.context returned "
                f"{type(context).__name__}, not a mapping"
            )
        return context

    return make
