"""The source of functions: their syntax tree, and what the names in it mean. Nothing is run."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import site
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final, TypeAlias

from lastword.tools.check.report import Place

FunctionTree: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Missing:
    """What a name means cannot be told without running the code."""


MISSING: Final = Missing()


@dataclass(frozen=True, eq=False)
class Function:
    """A function and its source.

    ``tree`` is None where the source is not to be had. ``given`` are arguments that are known:
    ``self`` of a method, those of a partial, defaults. ``is_own`` is False for functions of
    Python and of installed packages.
    """

    code: CodeType
    tree: FunctionTree | None
    names: Mapping[str, object]
    given: Mapping[str, object]
    cells: Mapping[str, object]
    annotated: Callable[..., Any]
    is_own: bool

    @property
    def place(self) -> Place:
        """The line of its ``def`` (or ``lambda``)."""
        line = self.tree.lineno if self.tree is not None else self.code.co_firstlineno
        return Place(Path(self.code.co_filename), line)

    @cached_property
    def bound(self) -> Mapping[str, list[ast.expr]]:
        """Names that the function itself binds, and what it assigns to them where that is told."""
        found: dict[str, list[ast.expr]] = {}
        if self.tree is None:
            return found
        for node in ast.walk(self.tree):
            match node:
                case ast.arg(arg=name):
                    found.setdefault(name, [])
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        _bind(target, value, found)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    _bind(target, value, found)
                case ast.NamedExpr(target=target, value=value):
                    _bind(target, value, found)
                case ast.Name(id=name, ctx=ast.Store()):
                    found.setdefault(name, [])
        return found

    @cached_property
    def imported(self) -> Mapping[str, object]:
        """What the function imports itself, as far as that has been loaded already."""
        found: dict[str, object] = {}
        for node in ast.walk(self.tree) if self.tree is not None else ():
            match node:
                case ast.ImportFrom(module=str() as module, names=names) if module in sys.modules:
                    for one in names:
                        found[one.asname or one.name] = member(sys.modules[module], one.name)
                case ast.Import(names=names):
                    for one in names:
                        top = one.name if one.asname else one.name.partition(".")[0]
                        found[one.asname or top] = sys.modules.get(top, MISSING)
        return found


def _bind(target: ast.expr, value: ast.expr, found: dict[str, list[ast.expr]]) -> None:
    if isinstance(target, ast.Name):
        found.setdefault(target.id, []).append(value)


def read_function(called: object) -> Function | None:
    """Find the function behind ``called``: a function, method, partial or callable object.

    None for classes and what is not written in Python.
    """
    given: dict[str, object] = {}
    positional: list[object] = []
    function = called
    while not isinstance(function, FunctionType):
        match function:
            case partial():
                given = {**function.keywords, **given}
                positional = [*function.args, *positional]
                function = function.func
            case MethodType():
                positional = [function.__self__, *positional]
                function = function.__func__
            case staticmethod() | classmethod():
                function = function.__func__
            case functools._lru_cache_wrapper():  # noqa: SLF001 - what functools.cache makes
                function = function.__wrapped__
            case _:
                inner = None if isinstance(function, type) else getattr(type(function), "__call__")  # noqa: B004, B009
                if not isinstance(inner, FunctionType):
                    return None
                function = MethodType(inner, function)
    wrapped = inspect.unwrap(function)
    function = wrapped if isinstance(wrapped, FunctionType) else function
    return _read(function, given, positional)


def _read(function: FunctionType, given: dict[str, object], positional: list[object]) -> Function:
    code = function.__code__
    parameters = code.co_varnames[: code.co_argcount]
    given = {**dict(zip(parameters, positional, strict=False)), **given}
    defaults = function.__defaults__ or ()
    for name, value in zip(parameters[::-1], defaults[::-1], strict=False):
        given.setdefault(name, value)
    for name, value in (function.__kwdefaults__ or {}).items():
        given.setdefault(name, value)
    cells = dict(_cells(function))
    return Function(
        code=code,
        tree=_tree(code),
        names={**vars(builtins), **function.__globals__, **cells},
        given=given,
        cells=cells,
        annotated=function,
        is_own=is_own(code.co_filename),
    )


def _cells(function: FunctionType) -> Iterator[tuple[str, object]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # a function that refers to one that is not defined yet
            continue


@cache
def parsed(file: str) -> ast.Module | None:
    """The syntax tree of a source file, None where there is none."""
    try:
        return ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None


@cache
def is_own(file: str) -> bool:
    """Whether a file belongs to the project: not to Python, not to an installed package."""
    paths = sysconfig.get_paths()
    foreign = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    foreign += [*site.getsitepackages(), site.getusersitepackages()]
    resolved = Path(file).resolve()
    return resolved.is_file() and not any(
        resolved.is_relative_to(Path(one).resolve()) for one in foreign
    )


def _tree(code: CodeType) -> FunctionTree | None:
    module = parsed(code.co_filename)
    nodes = ast.walk(module) if module is not None else ()
    found = [one for one in nodes if isinstance(one, FunctionTree) and _is_of(one, code)]
    lambdas = [one for one in found if isinstance(one, ast.Lambda)]
    if len(lambdas) > 1:
        # Several begin in one line: the columns of their instructions say which one it is.
        first = min((at for _, _, at, _ in code.co_positions() if at), default=0)
        return min(lambdas, key=lambda one: abs(one.body.col_offset - first))
    return found[0] if found else None


def _is_of(node: FunctionTree, code: CodeType) -> bool:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            lines = [node.lineno, *(one.lineno for one in node.decorator_list)]
            return name == code.co_name and min(lines) == code.co_firstlineno
        case ast.Lambda():
            return code.co_name == "<lambda>" and node.lineno == code.co_firstlineno


def resolve(expression: ast.expr, function: Function, depth: int = 8) -> object:
    """The object that ``expression`` stands for in ``function``, MISSING where it is not known.

    No attribute is computed and no code of the project is run.
    """
    if depth == 0:
        return MISSING
    match expression:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return _named(name, function, depth)
        case ast.Attribute(value=inner, attr=name):
            owner = resolve(inner, function, depth - 1)
            return MISSING if owner is MISSING else member(owner, name)
        case ast.Subscript(value=inner, slice=ast.Constant(value=key)):
            owner = resolve(inner, function, depth - 1)
            return owner.get(key, MISSING) if type(owner) is dict else MISSING
        case _:
            return MISSING


def _named(name: str, function: Function, depth: int) -> object:
    if name in function.given:
        return function.given[name]
    if name in function.imported:
        return function.imported[name]
    if name not in function.bound:
        return function.names.get(name, MISSING)
    match function.bound[name]:
        case [ast.Name() | ast.Attribute() | ast.Constant() as only]:
            return resolve(only, function, depth - 1)
        case _:
            return MISSING


def member(owner: object, name: str) -> object:
    """The attribute ``name`` of ``owner`` as it is stored, bound when it is a method."""
    if isinstance(owner, ModuleType):
        return vars(owner).get(name, MISSING)
    found = inspect.getattr_static(owner, name, MISSING)
    match found:
        case FunctionType() if not isinstance(owner, type):
            return MethodType(found, owner)
        case staticmethod() | classmethod():
            return found.__func__
        case property():
            return MISSING
        case _:
            return found
