"""The lines in which a graph's nodes are added, for nodes that have no function of the project."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lastword.tools.check.functions import parsed
from lastword.tools.check.report import Place


def add_node_lines(files: Iterable[Path], names: set[str]) -> Mapping[str, Place]:
    """Find ``add_node`` of the nodes ``names`` of one graph in source files that may build it.

    Calls of one builder belong together; the builder with most of the names is taken, and none
    when two have as many.
    """
    builders: dict[object, dict[str, Place]] = {}
    for file in files:
        for builder, name, line in _added(file):
            builders.setdefault((file, builder), {}).setdefault(name, Place(file, line))
    fitting = [found for found in builders.values() if set(found) <= names]
    most = max((len(found) for found in fitting), default=0)
    best = [found for found in fitting if len(found) == most]
    return best[0] if len(best) == 1 else {}


def variable_line(file: Path, variable: str) -> Place:
    """Where a module assigns to a variable, else its first line."""
    module = parsed(str(file))
    for node in module.body if module is not None else ():
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if name == variable:
                    return Place(file, node.lineno)
    return Place(file, 1)


def _added(file: Path) -> Iterator[tuple[object, str, int]]:
    """Builder, node name and line of each ``add_node`` of a file."""
    module = parsed(str(file))
    for scope in _scopes(module) if module is not None else ():
        for node in _of_scope(scope):
            match node:
                case ast.Call(func=ast.Attribute(value=builder, attr="add_node"), args=[first, *_]):
                    name = _name(first)
                    if name is not None:
                        yield (scope, _variable(builder)), name, _line(node.func)


def _scopes(module: ast.Module) -> Iterator[ast.AST]:
    yield module
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _of_scope(scope: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from _of_scope(child)


def _variable(builder: ast.expr) -> str | int:
    """What names a builder: its variable, or the line of a chain of calls."""
    while isinstance(builder, ast.Call | ast.Attribute):
        inner = builder.func if isinstance(builder, ast.Call) else builder.value
        if isinstance(inner, ast.Name) and isinstance(builder, ast.Call):
            break
        builder = inner
    return builder.id if isinstance(builder, ast.Name) else builder.lineno


def _line(called: ast.expr) -> int:
    """The line of the word ``add_node``: a chain of calls has many lines."""
    return called.end_lineno or called.lineno


def _name(first: ast.expr) -> str | None:
    match first:
        case ast.Constant(value=str() as name):
            return name
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return None
