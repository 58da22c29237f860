"""What becomes of a model's reply in a node: whether it gets into the graph's messages."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lastword import signals
from lastword.tools.check.chat_model_use import ASKS, ChatModelUse, literal, model_of
from lastword.tools.check.functions import MISSING, Function, read_function, resolve
from lastword.tools.check.report import Place
from lastword.tools.check.syntax import live

_MESSAGES = "messages"
_GATHERS = {"append", "extend", "insert", "add", "update", "setdefault"}


@dataclass(frozen=True)
class Request:
    """A request to a chat model; ``is_for_caller``: the reply goes, or may go, to ``messages``."""

    use: ChatModelUse
    place: Place
    is_for_caller: bool


def requests(functions: Sequence[Function], *, is_router: bool) -> Iterator[Request]:
    """Every request to a chat model in ``functions``, the first of which is the node's own.

    ``is_router``: what the first returns is where to go. Where a reply goes to something that
    cannot be followed it counts as meant for the caller.
    """
    for function in functions:
        for call in live(function):
            match call:
                case ast.Call(func=ast.Attribute(value=model, attr=method)) if method in ASKS:
                    use = model_of(model, function)
                    if use is None:
                        continue
                    kept = _is_kept([call], function, functions, is_router=is_router)
                    place = Place(function.place.file, call.lineno)
                    yield Request(use.tagged(_tags_given(call, function)), place, kept)


def _tags_given(call: ast.Call, function: Function) -> object:
    """Tags in the ``config`` of a request."""
    config = next((one.value for one in call.keywords if one.arg == "config"), None)
    given = literal(config or call.args[1], function) if config or len(call.args) > 1 else {}
    return given.get("tags", ()) if isinstance(given, dict) else ()


def _is_kept(
    sources: Iterable[ast.expr],
    function: Function,
    functions: Sequence[Function],
    *,
    is_router: bool,
    depth: int = 4,
) -> bool:
    """Whether what ``sources`` give may get into the messages of the graph."""
    if depth == 0:
        return True
    flow = _Flow(function, list(sources))
    if flow.is_written():
        return True
    if not flow.is_returned():
        return False
    if function is functions[0]:
        return not is_router
    calls = [(other, call) for other in functions for call in _calls_of(function, other)]
    return not calls or any(
        _is_kept([call], other, functions, is_router=is_router, depth=depth - 1)
        for other, call in calls
    )


def _calls_of(called: Function, caller: Function) -> Iterator[ast.Call]:
    for node in live(caller):
        if isinstance(node, ast.Call):
            target = resolve(node.func, caller)
            found = None if target is MISSING else read_function(target)
            if found is not None and found.code is called.code:
                yield node


class _Flow:
    """Where values go inside of one function, by the names that they are given."""

    def __init__(self, function: Function, sources: list[ast.expr]) -> None:
        self._function = function
        self._nodes = list(live(function))
        self._sources = set(sources)
        self._others = {one for one in self._nodes if _makes_something_else(one)}
        self._names: set[str] = set()
        known = -1
        while known < len(self._names):
            known = len(self._names)
            for node in self._nodes:
                self._names.update(self._named_by(node))

    def _carries(self, node: ast.AST | None) -> bool:
        waiting = [node] if node is not None else []
        while waiting:
            one = waiting.pop()
            if one in self._sources or (isinstance(one, ast.Name) and one.id in self._names):
                return True
            if one not in self._others:
                waiting += ast.iter_child_nodes(one)
        return False

    def _named_by(self, node: ast.AST) -> Iterator[str]:
        match node:
            case ast.Assign(targets=targets, value=value) if self._carries(value):
                for target in targets:
                    yield from _names(target)
            case (
                ast.AnnAssign(target=target, value=ast.expr() as value)
                | ast.AugAssign(target=target, value=value)
                | ast.NamedExpr(target=target, value=value)
                | ast.For(target=target, iter=value)
                | ast.AsyncFor(target=target, iter=value)
                | ast.comprehension(target=target, iter=value)
            ) if self._carries(value):
                yield from _names(target)
            case ast.Match(subject=value, cases=cases) if self._carries(value):
                for case in cases:
                    yield from _captured(case.pattern)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method), args=args) if (
                method in _GATHERS and any(self._carries(one) for one in args)
            ):
                yield name

    def is_written(self) -> bool:
        """Whether it gets into something that is called ``messages``, or is said."""
        return any(self._writes(node) for node in self._nodes)

    def _writes(self, node: ast.AST) -> bool:
        match node:
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                return any(
                    (key is None or _is_messages(key)) and self._carries(value)
                    for key, value in pairs
                )
            case ast.keyword(arg=name, value=value):
                return name in {_MESSAGES, None} and self._carries(value)
            case ast.Assign(targets=[ast.Subscript(slice=key)], value=value):
                return _is_messages(key) and self._carries(value)
            case ast.Call(func=func, args=args) if any(self._carries(one) for one in args):
                into = any(_is_messages(one) for one in ast.walk(func))
                return into or resolve(func, self._function) is signals.say
            case ast.Yield(value=value):
                return self._carries(value)
            case _:
                return False

    def is_returned(self) -> bool:
        """Whether it is returned, other than as an entry of a dictionary or a Command."""
        if isinstance(self._function.tree, ast.Lambda):
            return self._leaves(self._function.tree.body)
        return any(
            self._leaves(node.value)
            for node in self._nodes
            if isinstance(node, ast.Return) and node.value is not None
        )

    def _leaves(self, value: ast.expr) -> bool:
        match value:
            case ast.Dict():
                return False
            case ast.Call(func=ast.Name(id="Command") | ast.Attribute(attr="Command")):
                update = next((one.value for one in value.keywords if one.arg == "update"), None)
                return update is not None and self._leaves(update)
            case ast.Name(id=name) if self._is_known_dictionary(name):
                return False
            case _:
                return self._carries(value)

    def _is_known_dictionary(self, name: str) -> bool:
        bound = self._function.bound.get(name, ())
        return bool(bound) and all(isinstance(one, ast.Dict) for one in bound)


def _makes_something_else(node: ast.AST) -> bool:
    """A comparison keeps no words, and the answer to another request is not the first reply."""
    match node:
        case ast.Compare():
            return True
        case ast.Call(func=ast.Attribute(attr=method)):
            return method in ASKS
        case _:
            return False


def _is_messages(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == _MESSAGES


def _names(target: ast.expr) -> Iterator[str]:
    """The names that an assignment binds; of ``a.b = c`` that is ``a``."""
    match target:
        case ast.Name(id=name):
            yield name
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            for one in elements:
                yield from _names(one)
        case ast.Starred(value=inner):
            yield from _names(inner)
        case ast.Attribute(value=inner):
            yield from _names(inner)
        case _:
            return


def _captured(pattern: ast.pattern) -> Iterator[str]:
    for node in ast.walk(pattern):
        if isinstance(node, ast.MatchAs | ast.MatchStar) and node.name is not None:
            yield node.name
        if isinstance(node, ast.MatchMapping) and node.rest is not None:
            yield node.rest
