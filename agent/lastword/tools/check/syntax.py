"""The parts of a function that run, without its docstring, annotations and decorators."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from lastword.tools.check.functions import MISSING, Function, resolve

_SEARCHES = {
    "replace", "split", "rsplit", "find", "rfind", "index", "count", "strip", "startswith",
    "endswith", "removesuffix", "removeprefix", "partition", "rpartition",
}  # fmt: skip
_GIVES_TOOLS = {"bind_tools", "create_agent", "create_react_agent", "bind_functions"}


def live(function: Function) -> Iterator[ast.AST]:
    """Every node of what runs in ``function`` and in the functions that it defines."""
    if function.tree is None:
        return
    waiting: list[ast.AST] = [function.tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(list(_inner(node)))


def _inner(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from node.body[_has_docstring(node.body) :]
        case ast.Lambda():
            yield node.body
        case ast.ClassDef():
            return
        case ast.AnnAssign():
            yield from (one for one in (node.target, node.value) if one is not None)
        case _:
            yield from ast.iter_child_nodes(node)


def _has_docstring(body: list[ast.stmt]) -> bool:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *_]:
            return True
        case _:
            return False


def used_values(function: Function) -> Iterator[tuple[ast.expr, object]]:
    """Every object that ``function`` names or writes down, with the expression that does.

    Left out are texts that are only compared with or searched for, and the tools that are shown
    to a model: it may call them, the function does not.
    """
    left_out: set[ast.AST] = set()
    for node in live(function):
        left_out.update(_not_used(node, function))
        if node in left_out:
            left_out.update(ast.iter_child_nodes(node))
            continue
        if isinstance(node, ast.Constant | ast.Name | ast.Attribute | ast.Subscript):
            value = resolve(node, function)
            if value is not MISSING:
                left_out.update(ast.iter_child_nodes(node))
                yield node, value


def _not_used(node: ast.AST, function: Function) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(left=left, comparators=others):
            yield from (one for one in (left, *others) if _is_text(one, function))
        case ast.MatchValue(value=value):
            yield value
        case ast.Call(func=ast.Attribute(attr=name), args=args) if name in _SEARCHES:
            yield from (one for one in args if _is_text(one, function))
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in _GIVES_TOOLS:
            yield from (one for one in node.args if not isinstance(one, ast.Starred))
            yield from (one.value for one in node.keywords if one.arg == "tools")


def _is_text(node: ast.expr, function: Function) -> bool:
    return isinstance(resolve(node, function), str)
