"""A project's settings for tests: ``[tool.lastword.testing]`` in its pyproject.toml."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lastword.errors import SettingsError
from lastword.project import Project, read_project

ContextFactory = Callable[[Path], Mapping[str, Any]]
"""Returns keys for the graph's context; for calls in a room they must be JSON.

Called once for each call with a new, empty folder, which is deleted after the call.
"""


def no_context(_: Path) -> Mapping[str, Any]:
    """The context factory of a project that names none."""
    return {}


@dataclass(frozen=True)
class ProjectUnderTest:
    """What the calls of a test need to know of the project under test.

    ``offline_models`` are the types (LangChain's ``_llm_type``) of chat models that answer without
    a key or a network.
    """

    call_context: ContextFactory = no_context
    offline_models: Sequence[str] = ()


def read_project_under_test(config: Path) -> ProjectUnderTest:
    """Read ``[tool.lastword.testing]`` of the pyproject.toml beside ``config``.

    Raises:
        SettingsError: a value has the wrong type, or ``context`` does not name a function that can
            be imported. ``call_context`` raises it when the project's function does not return a
            mapping.
    """
    project = read_project(config)
    return ProjectUnderTest(
        call_context=_context_factory(project),
        offline_models=project.setting("testing.offline_models", list[str], '["my-rules"]') or (),
    )


def _context_factory(project: Project) -> ContextFactory:
    function = project.load("testing.context", '"tests.calls:call_context"')
    if function is None:
        return no_context
    if not callable(function):
        raise SettingsError(f"{project.file}: tool.lastword.testing.context must be a function")

    def make(folder: Path) -> Mapping[str, Any]:
        context = function(folder)
        if not isinstance(context, Mapping):
            raise SettingsError(
                f"{project.file}: tool.lastword.testing.context returned "
                f"{type(context).__name__}, not a mapping"
            )
        return context

    return make
