"""What a simulated caller says: a short YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from agent.errors import ScriptError

BUNDLED = Path(__file__).parent / "scripts"


@dataclass(frozen=True)
class Script:
    """A caller's lines, the graph they are meant for, and the dispatch's metadata."""

    path: Path
    lines: list[str]
    graph: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


def find_script(name: str | None, graph: str | None) -> Path:
    """Find a script by path or by the name of a bundled one; default is the graph's own.

    Raises:
        ScriptError: there is none.
    """
    given, name = name, name or graph or "appointment"
    for path in (Path(name), BUNDLED / f"{name}.yaml"):
        if path.is_file():
            return path
    bundled = ", ".join(sorted(path.stem for path in BUNDLED.glob("*.yaml")))
    what = "there is no caller script" if given else "there is no caller script for the graph"
    raise ScriptError(f"{what} {name!r}; give a YAML file, or one of the bundled: {bundled}")


def read_script(path: Path) -> Script:
    """Read a caller script.

    Raises:
        ScriptError: it is not YAML of the documented shape; the message names the field.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.MarkedYAMLError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path} is not YAML: {_where(error)}") from error
    if not isinstance(content, dict):
        raise ScriptError(
            f"{path} has no fields; it needs `turns:` with a list of `- caller: words`"
        )
    if unknown := set(content) - {"graph", "metadata", "turns", "ended"}:
        raise ScriptError(f"{path}: unknown field {', '.join(map(repr, sorted(unknown)))}")
    graph, metadata = content.get("graph"), content.get("metadata", {})
    if graph is not None and not isinstance(graph, str):
        raise ScriptError(f"{path}: `graph` must be a name, not {graph!r}")
    if not isinstance(metadata, dict):
        raise ScriptError(f"{path}: `metadata` must be a mapping, not {metadata!r}")
    return Script(path, _lines(path, content.get("turns")), graph, metadata)


def _where(error: yaml.MarkedYAMLError | UnicodeDecodeError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} in line {error.problem_mark.line + 1}"
    return str(error)


def _lines(path: Path, turns: object) -> list[str]:
    if not isinstance(turns, list):
        raise ScriptError(f"{path}: `turns` must be a list of `- caller: words`, not {turns!r}")
    lines = []
    for number, turn in enumerate(turns, 1):
        match turn:
            case {"caller": str(words)} if words.strip():
                lines.append(words.strip())
            case {"agent": _}:
                continue
            case _:
                raise ScriptError(f"{path}: turn {number} must be `caller: words`, not {turn!r}")
    return lines
