"""Where nodes and branches lead, read from their annotations and from their source."""

from __future__ import annotations

import ast
import collections.abc
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from langgraph.types import Command, Send

from lastword.tools.check.functions import MISSING, Function, read_function, resolve
from lastword.tools.check.syntax import live


@dataclass(frozen=True)
class Gotos:
    """Where ``Command(goto=...)`` leads: names of nodes of the same graph, and of the parent's.

    ``is_open``: it also leads somewhere that only running it can tell.
    """

    here: frozenset[str] = frozenset()
    parent: frozenset[str] = frozenset()
    is_open: bool = False


NOWHERE = Gotos()


def gotos(functions: Iterable[Function]) -> Gotos:
    """Read every ``Command`` that ``functions`` make."""
    here: set[str] = set()
    parent: set[str] = set()
    is_open = False
    for function in functions:
        for node in live(function):
            if not isinstance(node, ast.Call) or not _is(node.func, Command, function):
                continue
            arguments = {one.arg: one.value for one in node.keywords}
            if "goto" not in arguments:
                continue
            names = _names(arguments["goto"], function)
            graph = arguments.get("graph")
            to_parent = graph is not None and resolve(graph, function) == Command.PARENT
            is_open = is_open or (names is None and not to_parent)
            (parent if to_parent else here).update(names or ())
    return Gotos(frozenset(here), frozenset(parent), is_open)


def branch_ends(path: Function) -> frozenset[str] | None:
    """The nodes that a conditional edge may lead to; None when only running it can tell.

    LangGraph itself reads a plain ``Literal`` only; here unions of them count too.
    """
    told = annotated_names(path)
    if told is not None:
        return told
    if path.tree is None:
        return None
    if isinstance(path.tree, ast.Lambda):
        return _names(path.tree.body, path)
    returned = [node.value for node in live(path) if isinstance(node, ast.Return)]
    found = [_names(one, path) if one is not None else None for one in returned]
    if not found or any(names is None for names in found):
        return None
    return frozenset(name for names in found for name in names or ())


def annotated_names(function: Function) -> frozenset[str] | None:
    """The texts that the annotation of what ``function`` returns allows; None when it does not."""
    try:
        hint = get_type_hints(function.annotated).get("return")
    except Exception:  # noqa: BLE001 - an annotation may be any expression
        return None
    return _texts(hint)


def _texts(hint: Any) -> frozenset[str] | None:
    origin = get_origin(hint)
    if origin is Literal:
        texts = get_args(hint)
        return frozenset(texts) if all(isinstance(one, str) for one in texts) else None
    if origin in (Union, types.UnionType, list, collections.abc.Sequence):
        found = [_texts(one) for one in get_args(hint)]
        if found and all(one is not None for one in found):
            return frozenset(text for texts in found for text in texts or ())
    # A ``type X = ...`` statement of Python 3.12.
    return _texts(hint.__value__) if hasattr(hint, "__value__") else None


def _is(expression: ast.expr, wanted: object, function: Function) -> bool:
    found = resolve(expression, function)
    return found is wanted or (get_origin(found) or found) is wanted


def _names(expression: ast.expr, function: Function, depth: int = 6) -> frozenset[str] | None:
    """The texts that ``expression`` may come to; None when there may be others."""
    if depth == 0:
        return None
    value = resolve(expression, function)
    if isinstance(value, str):
        return frozenset({value})
    parts = list(_parts(expression, function))
    found = [_names(one, function, depth - 1) for one in parts]
    if parts and all(names is not None for names in found):
        return frozenset(name for names in found for name in names or ())
    if isinstance(expression, ast.Call) and not _is(expression.func, Send, function):
        return _returned(expression, function)
    return None


def _parts(expression: ast.expr, function: Function) -> Iterator[ast.expr]:
    match expression:
        case ast.IfExp(body=one, orelse=other):
            yield from (one, other)
        case ast.BoolOp(values=values):
            yield from values
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            yield from elements
        case ast.ListComp(elt=element):
            yield element
        case ast.Call(func=func, args=[node, *_]) if _is(func, Send, function):
            yield node
        case ast.Name(id=name):
            yield from function.bound.get(name, ())
        case _:
            return


def _returned(call: ast.Call, function: Function) -> frozenset[str] | None:
    target = resolve(call.func, function)
    called = None if target is MISSING else read_function(target)
    return None if called is None else annotated_names(called)
