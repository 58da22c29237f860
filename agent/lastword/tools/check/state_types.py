"""Can a checkpointer keep the state? Told from the types of its channels, by LangGraph itself."""

from __future__ import annotations

import ast
import collections.abc
import dataclasses
import enum
import inspect
import sys
import types
import typing
from collections import deque
from collections.abc import Iterator
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from functools import cache
from pathlib import Path, PurePath
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints
from uuid import UUID

from langgraph.channels.untracked_value import UntrackedValue
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel import Pregel
from pydantic import BaseModel
from typing_extensions import is_typeddict

from lastword.memory.memory_types import is_found_by_name, is_written_by_name
from lastword.tools.check.endings import Subject
from lastword.tools.check.functions import parsed
from lastword.tools.check.report import Finding, Place

_PLAIN = (
    str, int, float, bytes, bytearray, list, dict, tuple, set, frozenset, deque, types.NoneType,
    date, time, timedelta, tzinfo, Decimal, UUID, PurePath, BaseException, type,
)  # fmt: skip
_ANSWERS_FOR_ITSELF = ("model_dump", "dict", "_asdict", "get_secret_value", "__getattr__")
Flaw = Literal["fails", "nameless"]


def about_state(subject: Subject, graph: Pregel[Any, Any, Any, Any]) -> Iterator[Finding]:
    """The finding ``state-not-serialisable``, one for each channel.

    Types that say too little (``Any``, protocols, types of other packages) are not reported.
    """
    if not isinstance(graph, CompiledStateGraph):
        return
    seen: set[str] = set()
    for schema, channels in graph.builder.schemas.items():
        hints = _hints(schema)
        for name in channels:
            kept = name in graph.builder.channels and not isinstance(
                graph.builder.channels[name], UntrackedValue
            )
            if name in seen or not kept:
                continue
            seen.add(name)
            found = flaw_of(hints.get(name, Any))
            if found is not None:
                place, of_class = _field_line(schema, name)
                what = _sentence(*found)
                yield Finding(
                    "state-not-serialisable", subject.name, what, place, channel=name, also=of_class
                )


def _sentence(kind: type, flaw: Flaw) -> str:
    if flaw == "fails":
        return f"{kind.__name__} cannot be written by a checkpointer: the turn would fail"
    return (
        f"{kind.__name__} comes back as plain data: it is not found by that name in"
        f" {kind.__module__}"
    )


def flaw_of(hint: Any, depth: int = 10) -> tuple[type, Flaw] | None:
    """The first type in ``hint`` that a checkpointer cannot keep, and what would happen."""
    if depth == 0 or hint is Any:
        return None
    for named in ("__value__", "__supertype__"):  # ``type X = ...`` and NewType
        if hasattr(hint, named) and not isinstance(hint, type):
            return flaw_of(getattr(hint, named), depth - 1)
    origin = get_origin(hint)
    if origin in (collections.abc.Callable, types.FunctionType):
        return types.FunctionType, "fails"
    if origin in (Literal, type):
        return None
    if origin is typing.Annotated:
        return flaw_of(get_args(hint)[0], depth - 1)
    inner = _hints(hint).values() if is_typeddict(hint) else get_args(hint)
    for one in inner:
        found = flaw_of(one, depth - 1)
        if found is not None:
            return found
    is_class = isinstance(hint, type) and not is_typeddict(hint) and origin is None
    flaw = _flaw_of_class(hint) if is_class else None
    return (hint, flaw) if flaw else None


@cache
def _flaw_of_class(kind: type) -> Flaw | None:
    """What LangGraph's serialiser does with a class, asked with a stand-in of the same name.

    So nothing of the class itself is run.
    """
    stand_in = _stand_in(kind)
    if stand_in is None:
        return None
    try:
        JsonPlusSerializer().dumps_typed(stand_in)
    except TypeError:
        return "fails"
    return "nameless" if is_written_by_name(kind) and not is_found_by_name(kind) else None


def _stand_in(kind: type) -> object | None:
    """A value that looks to the serialiser like one of ``kind``; None when that is not known."""
    name, there = kind.__name__, {"__module__": kind.__module__}
    if issubclass(kind, BaseModel):
        return cast("object", type(name, (BaseModel,), there)())
    if issubclass(kind, enum.Enum):
        make_enum: Any = enum.Enum
        return cast("object", make_enum(name, ["ONE"], module=kind.__module__)["ONE"])
    if dataclasses.is_dataclass(kind):
        return cast("object", dataclasses.make_dataclass(name, [], namespace=there)())
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return cast("object", type(name, (), {**there, "_asdict": lambda _: {}})())
    if issubclass(kind, _PLAIN) or kind is object or inspect.isabstract(kind):
        return None
    speaks = any(hasattr(kind, one) for one in _ANSWERS_FOR_ITSELF)
    says_too_little = getattr(kind, "_is_protocol", False) or kind.__module__ in _KNOWN_MODULES
    return None if speaks or says_too_little else type(name, (), there)()


_KNOWN_MODULES = {"typing", "re", "ipaddress", "numpy", "langgraph.types", "langgraph.store.base"}


def _hints(schema: Any) -> dict[str, Any]:
    try:
        return get_type_hints(schema, include_extras=True)
    except Exception:  # noqa: BLE001 - an annotation may be any expression
        return {}


def _field_line(schema: type, name: str) -> tuple[Place, tuple[Place, ...]]:
    """The line of a field in the class that declares it, and the line of that class."""
    kinds = [one for one in [*_bases(schema)] if name in vars(one).get("__annotations__", {})]
    for kind in kinds or [schema]:
        file = getattr(sys.modules.get(kind.__module__), "__file__", None)
        module = parsed(file) if file else None
        for node in ast.walk(module) if module is not None else ():
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
                lines = [
                    one.lineno
                    for one in node.body
                    if isinstance(one, ast.AnnAssign)
                    and isinstance(one.target, ast.Name)
                    and one.target.id == name
                ]
                there = Place(Path(str(file)), node.lineno)
                return Place(there.file, lines[0] if lines else there.line), (there,)
    return Place(Path(inspect.getsourcefile(schema) or "?"), 1), ()


def _bases(schema: type) -> Iterator[type]:
    """A class and those it is made of; a TypedDict remembers them elsewhere."""
    yield schema
    for base in (*schema.__mro__[1:], *getattr(schema, "__orig_bases__", ())):
        if isinstance(base, type) and base is not schema:
            yield from _bases(base) if is_typeddict(base) else (base,)
