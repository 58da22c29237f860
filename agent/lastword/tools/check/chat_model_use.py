"""What a chat model in a graph will stream: words, JSON or tool calls, and whether silently."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.runnables import (
    RunnableBinding,
    RunnableLambda,
    RunnableParallel,
    RunnableSequence,
    RunnableWithFallbacks,
)
from langgraph.constants import TAG_NOSTREAM

from lastword.tools.check.functions import MISSING, Function, read_function, resolve

OLD_TAG = "langsmith:nostream"
"""LangGraph's tag before 1.0; it is not heeded any more (measured with langgraph 1.2.22)."""
ASKS = {"invoke", "ainvoke", "stream", "astream", "batch", "abatch", "astream_events", "generate"}
_SAME_MODEL = {"with_retry", "with_fallbacks", "with_types", "with_listeners", "pipe", "assign"}
_JSON_PARSERS = (JsonOutputParser, PydanticOutputParser)
_NOT_FORCED = (None, "auto", "none", False)


@dataclass(frozen=True)
class ChatModelUse:
    """How a chat model is used; ``kind`` is its class, None when it is not known.

    ``output`` is "tool" when the model has to call a tool, so that nothing is left to be spoken.
    """

    output: Literal["text", "json", "tool"] = "text"
    tags: frozenset[str] = frozenset()
    kind: type | None = None

    @property
    def is_silent(self) -> bool:
        """Whether LangGraph keeps what the model streams to itself."""
        return TAG_NOSTREAM in self.tags

    def tagged(self, tags: object) -> ChatModelUse:
        """The same with more tags."""
        if not isinstance(tags, Iterable):
            return self
        return replace(self, tags=self.tags.union(one for one in tags if isinstance(one, str)))

    def with_arguments(self, arguments: Mapping[str, object]) -> ChatModelUse:
        """The same with arguments of a request: ``tool_choice``, ``response_format``."""
        if arguments.get("tool_choice") not in _NOT_FORCED:
            return replace(self, output="tool")
        if arguments.get("response_format") is not None:
            return replace(self, output="json")
        return self

    def structured(self, method: object) -> ChatModelUse:
        """The same with structured output, by a method or by the model's own choice."""
        if method is MISSING:
            method = _own_method(self.kind)
        return replace(self, output="tool" if method == "function_calling" else "json")


def _own_method(kind: type | None) -> object:
    """How models of a class give structured output; LangChain's own way is a forced tool."""
    if kind is None:
        return MISSING
    wanted = inspect.signature(kind.with_structured_output).parameters.get("method")  # type: ignore[attr-defined]
    return "function_calling" if wanted is None else wanted.default


def model_in(value: object, depth: int = 8) -> ChatModelUse | None:
    """The chat model that is, or is inside of, a Runnable; None when there is none."""
    if depth == 0:
        return None
    match value:
        case BaseChatModel():
            return ChatModelUse(kind=type(value)).tagged(value.tags or ())
        case RunnableBinding():
            inner = model_in(value.bound, depth - 1)
            tags = value.config.get("tags") or ()
            return inner and inner.tagged(tags).with_arguments(value.kwargs)
        case RunnableSequence():
            found = _first(value.steps, depth)
            prompted = any(_is_json_parser(one) for one in value.steps)
            is_json = found and prompted and found.output == "text"
            return replace(found, output="json") if found and is_json else found
        case RunnableParallel():
            return _first(value.steps__.values(), depth)
        case RunnableWithFallbacks():
            return model_in(value.runnable, depth - 1)
        case _:
            return _configurable(value)


def _first(values: Iterable[object], depth: int) -> ChatModelUse | None:
    found = (model_in(one, depth - 1) for one in values if not isinstance(one, RunnableLambda))
    return next((one for one in found if one is not None), None)


def _is_json_parser(value: object) -> bool:
    return isinstance(value, _JSON_PARSERS)


def _configurable(value: object) -> ChatModelUse | None:
    """LangChain's model that is made when it is asked; it keeps what is to be done with it."""
    if type(value).__name__ != "_ConfigurableModel":
        return None
    found = ChatModelUse()
    for name, args, kwargs in vars(value).get("_queued_declarative_operations", ()):
        found = _after(found, name, [*args], kwargs)
    return found


def _after(
    use: ChatModelUse, method: str, args: list[object], kwargs: Mapping[str, object]
) -> ChatModelUse:
    match method:
        case "with_structured_output":
            return use.structured(kwargs.get("method", MISSING))
        case "bind" | "bind_tools":
            return use.with_arguments(kwargs)
        case "with_config":
            given = args[0] if args else kwargs.get("config")
            config = given if isinstance(given, Mapping) else {}
            return use.tagged(kwargs.get("tags", config.get("tags", ())))
        case _:
            return use


def model_of(expression: ast.expr, function: Function, depth: int = 8) -> ChatModelUse | None:
    """The chat model that ``expression`` stands for, as it is written in ``function``."""
    if depth == 0:
        return None
    value = resolve(expression, function)
    if value is not MISSING:
        return model_in(value)
    match expression:
        case ast.Name(id=name):
            return _first_of(function.bound.get(name, ()), function, depth)
        case ast.Await(value=inner):
            return model_of(inner, function, depth - 1)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _piped(left, right, function, depth)
        case ast.IfExp(body=one, orelse=other):
            return _first_of((one, other), function, depth)
        case ast.Call(func=ast.Attribute(value=inner, attr=method)):
            base = model_of(inner, function, depth - 1)
            if base is not None and (method in _SAME_MODEL or _changes(method)):
                return _after(base, method, *_arguments(expression, function))
            return None if base is not None else _made(expression, function, depth)
        case ast.Call():
            return _made(expression, function, depth)
        case _:
            return None


def _changes(method: str) -> bool:
    return method in {"with_structured_output", "bind", "bind_tools", "with_config"}


def _first_of(
    expressions: Iterable[ast.expr], function: Function, depth: int
) -> ChatModelUse | None:
    found = (model_of(one, function, depth - 1) for one in expressions)
    return next((one for one in found if one is not None), None)


def _piped(left: ast.expr, right: ast.expr, function: Function, depth: int) -> ChatModelUse | None:
    found = _first_of((left, right), function, depth)
    made = resolve(right.func if isinstance(right, ast.Call) else right, function)
    is_parser = made in _JSON_PARSERS if isinstance(made, type) else _is_json_parser(made)
    if found is not None and is_parser and found.output == "text":
        return replace(found, output="json")
    return found


def _made(call: ast.Call, function: Function, depth: int) -> ChatModelUse | None:
    """A model that is made by its class, by LangChain, or by a function of the project."""
    maker = resolve(call.func, function)
    _, keywords = _arguments(call, function)
    tags = keywords.get("tags", ())
    if isinstance(maker, type):
        is_model = issubclass(maker, BaseChatModel)
        return ChatModelUse(kind=maker).tagged(tags) if is_model else None
    if maker is not MISSING and maker is of_langchain("chat_models", "init_chat_model"):
        return ChatModelUse().tagged(tags)
    made_by = read_function(maker) if maker is not MISSING else None
    if made_by is None or not made_by.is_own or made_by.tree is None:
        return None
    returns = (one.value for one in ast.walk(made_by.tree) if isinstance(one, ast.Return))
    return _first_of([one for one in returns if one is not None], made_by, depth)


def of_langchain(module: str, name: str) -> object:
    """What LangChain calls so; None while the project has not imported it: it need not be there."""
    return getattr(sys.modules.get(f"langchain.{module}"), name, None)


def _arguments(call: ast.Call, function: Function) -> tuple[list[object], dict[str, object]]:
    args = [literal(one, function) for one in call.args]
    return args, {one.arg: literal(one.value, function) for one in call.keywords if one.arg}


def literal(expression: ast.expr, function: Function) -> Any:
    """The value of a written list, tuple, set or dictionary, or of a name; MISSING elsewhere."""
    match expression:
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            return [literal(one, function) for one in elements]
        case ast.Dict(keys=keys, values=values):
            return {
                literal(key, function): literal(value, function)
                for key, value in zip(keys, values, strict=True)
                if isinstance(key, ast.Constant)
            }
        case ast.Call(func=func, keywords=keywords) if resolve(func, function) is dict:
            return {one.arg: literal(one.value, function) for one in keywords if one.arg}
        case _:
            return resolve(expression, function)
