"""The reasons with which a project's graphs are declared to end calls, from pyproject.toml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lastword.errors import DeclarationError
from lastword.graphs_config import check_graph, graph_specs
from lastword.untrusted.bounded_input import BadInput, read_toml


def declared_endings(config: Path) -> Mapping[str, Sequence[str]]:
    """Graph → its declared reasons: ``endings`` of ``[tool.lastword.coverage]``.

    They are in the pyproject.toml beside ``config``, the ``langgraph.json``; without that file
    or table none is declared.

    Raises:
        GraphError: ``config`` cannot be read, or has no graph of a name in the table.
        DeclarationError: the pyproject.toml is not TOML, or the table is not of that form.
    """
    project = config.resolve().parent / "pyproject.toml"
    try:
        content = read_toml(project)
    except FileNotFoundError:
        return {}
    except BadInput as error:
        raise DeclarationError(f"{project.name}{error.where}", error.why) from error
    endings = _endings(content, project.name)
    known = graph_specs(config)
    for graph in endings:
        check_graph(graph, known, config)
    return endings


def _endings(content: Mapping[str, Any], file: str) -> dict[str, list[str]]:
    match content:
        case {"tool": {"lastword": {"coverage": {"endings": dict(endings)}}}}:
            pass
        case {"tool": {"lastword": {"coverage": {"endings": _}}}}:
            raise DeclarationError(file, _FORM)
        case _:
            return {}
    for reasons in endings.values():
        if not isinstance(reasons, list) or not all(isinstance(each, str) for each in reasons):
            raise DeclarationError(file, _FORM)
    return endings


_FORM = (
    "has [tool.lastword.coverage] endings of another form than "
    '{ graph = ["reason", "another_reason"] }'
)
