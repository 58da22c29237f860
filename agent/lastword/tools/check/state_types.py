"""Whether a checkpointer can store a graph's state, judged by the types of its channels."""

from __future__ import annotations

import collections.abc
import inspect
import re
import types
import typing
from collections import deque
from collections.abc import Iterator
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any, Literal, get_args, get_origin, get_type_hints
from uuid import UUID

from langgraph.channels.untracked_value import UntrackedValue
from langgraph.graph.state import CompiledStateGraph
from typing_extensions import is_typeddict

from lastword.memory.memory_types import StateSerializer, is_found_by_name, is_written_by_name
from lastword.tools.check.graph_reading import GraphReading
from lastword.tools.check.report import Finding, Place

_PLAIN = (
    str, int, float, bytes, bytearray, list, dict, tuple, set, frozenset, deque, types.NoneType,
    date, time, timedelta, tzinfo, Decimal, UUID, PurePath, BaseException, type,
)  # fmt: skip
_WRITES_ITSELF = ("model_dump", "dict", "_asdict", "get_secret_value", "__getattr__")
_KNOWN_MODULES = {"typing", "re", "ipaddress", "numpy", "langgraph.types", "langgraph.store.base"}
Flaw = Literal["fails", "nameless"]


def about_state(reading: GraphReading, graph: object) -> Iterator[Finding]:
    """Findings ``state-not-serialisable``, at most one for each channel.

    Types that tell nothing (``Any``, ``object``, protocols, abstract classes) are not reported.
    """
    if not isinstance(graph, CompiledStateGraph):
        return
    builder = graph.builder
    seen: set[str] = set()
    for schema, channels in builder.schemas.items():
        hints = _hints(schema)
        for name in (one for one in channels if one not in seen and one in builder.channels):
            seen.add(name)
            found = flaw_of(hints.get(name, Any))
            if found is None or isinstance(builder.channels[name], UntrackedValue):
                continue
            place, *also = _lines_of(schema, name) or [reading.root]
            what = _sentence(*found)
            yield Finding(
                "state-not-serialisable",
                reading.name,
                what,
                place,
                channel=name,
                also=tuple(also),
            )


def _sentence(kind: type, flaw: Flaw) -> str:
    if flaw == "fails":
        return f"a checkpointer cannot store {kind.__name__}: the turn would fail"
    return (
        f"{kind.__name__} is restored as plain data: it is not found by that name in"
        f" {kind.__module__}"
    )


def flaw_of(hint: Any, depth: int = 10) -> tuple[type, Flaw] | None:
    """The first type in ``hint`` that a checkpointer cannot store, and what would happen."""
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
    if isinstance(hint, type) and not is_typeddict(hint) and origin is None:
        flaw = _flaw_of_class(hint)
        return (hint, flaw) if flaw else None
    inner = _hints(hint).values() if is_typeddict(hint) else get_args(hint)
    return next(filter(None, (flaw_of(one, depth - 1) for one in inner)), None)


def _flaw_of_class(kind: type) -> Flaw | None:
    if is_written_by_name(kind):
        return None if is_found_by_name(kind) else "nameless"
    says_too_little = getattr(kind, "_is_protocol", False) or inspect.isabstract(kind)
    if says_too_little or issubclass(kind, _PLAIN) or kind.__module__ in _KNOWN_MODULES:
        return None
    if kind is object or any(hasattr(kind, one) for one in _WRITES_ITSELF):
        return None
    # The serialiser is asked with a stand-in of the same name, so that no code of the class runs.
    stand_in = type(kind.__name__, (), {"__module__": kind.__module__})()
    try:
        StateSerializer().dumps_typed(stand_in)
    except TypeError:
        return "fails"
    return None


def _hints(schema: Any) -> dict[str, Any]:
    try:
        return get_type_hints(schema, include_extras=True)
    except Exception:  # noqa: BLE001 - an annotation may be any expression
        return {}


def _lines_of(schema: type, name: str) -> list[Place]:
    """The lines of a channel in its schema and of the schema itself; [] without source."""
    try:
        lines, first = inspect.getsourcelines(schema)
        file = Path(inspect.getsourcefile(schema) or "")
    except (OSError, TypeError):
        return []
    field = re.compile(rf"\s*{re.escape(name)}\s*:")
    found = [Place(file, first + at) for at, line in enumerate(lines) if field.match(line)]
    return [*found[:1], Place(file, first)]
