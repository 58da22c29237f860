"""The types that a graph's memory may restore: plain data, and the types that its state names.

By default, LangGraph imports and calls any name that a checkpoint contains, so anyone with write
access to the database can run a command in the worker. LangGraph's own protection is an environment
variable, read at import, and a list of types that ``compile`` derives from the state. Every copy of
the graph (``copy``, ``with_config``, LangChain's ``create_agent``) loses that list. The memory that
Lastword attaches to a graph therefore has its own serialiser, and reads the types from the graph.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from enum import Enum
from functools import partial
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.event_hooks import SerdeEvent, register_serde_event_listener
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.func import task
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode
from langgraph.pregel import Pregel
from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.v1 import BaseModel as OldModel
from typing_extensions import is_typeddict

from lastword.errors import ForeignCheckpoint

Graph = Pregel[Any, Any, Any, Any]

WRITTEN = frozenset({"null", "bytes", "bytearray", "msgpack"})
"""The encodings that LangGraph writes. It also reads "json", which old versions wrote, and which
creates LangChain objects (for example prompt templates) with any arguments."""
MOST_LOGGED = 100
"""Most types that are named in the log: a writer to the database could name any number."""
logged_types: set[str] = set()
"""Types that were named in the log; each is logged once per process."""

_BY_NAME = (BaseModel, OldModel, Enum, SecretStr, SecretBytes)
_WIDE = frozenset({"pydantic", "langchain", "langchain_core", "langgraph"})
_Task = type(task(lambda: None))

_log = logging.getLogger("lastword.memory")


class StateSerializer(JsonPlusSerializer):
    """Restores objects of LangGraph's safe types and of the allowed types only.

    ``BaseCheckpointSaver.with_allowlist`` sets the allowed types. An object of any other type is
    restored as its plain data (a dictionary of its fields, the value of an enum), which is logged.

    Raises:
        ForeignCheckpoint: a value is in an encoding that LangGraph does not write.
    """

    def __init__(self) -> None:
        super().__init__(
            pickle_fallback=False, allowed_json_modules=None, allowed_msgpack_modules=None
        )

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """See ``SerializerProtocol``."""
        if data[0] not in WRITTEN:
            raise ForeignCheckpoint(data[0])
        return super().loads_typed(data)


def remembering(
    graph: Graph, memory: BaseCheckpointSaver[Any] | None = None, more: Iterable[type] = ()
) -> Graph:
    """A copy of ``graph`` that keeps its state in ``memory``; default: in this process.

    Args:
        graph: the compiled graph.
        memory: the checkpoint saver.
        more: types that the state may hold although its schema does not name them.
    """
    if memory is None:
        memory = InMemorySaver(serde=StateSerializer())
    names = {(kind.__module__, kind.__name__) for kind in state_types(graph, more)}
    return graph.copy({"checkpointer": memory.with_allowlist(names)})


def state_types(graph: Graph, more: Iterable[type] = ()) -> set[type]:
    """The models, dataclasses, enums and named tuples that the memory of ``graph`` may hold.

    These are the types in the schemas of its state and of its nodes' input, in their reducers, and
    in the return types of its tasks, also in its subgraphs; with the types of their fields and with
    their subclasses.
    """
    seen: dict[int, object] = {}
    hints = [*_hints_of(graph), *more]
    found = {kind for hint in hints for kind in _classes_in(hint, seen) if is_written_by_name(kind)}
    return {kind for kind in found.union(more) if is_found_by_name(kind)}


def is_written_by_name(kind: type) -> bool:
    """Whether a checkpoint stores an object of ``kind`` as its class name and its fields."""
    is_named_tuple = issubclass(kind, tuple) and hasattr(kind, "_fields")
    return issubclass(kind, _BY_NAME) or is_dataclass(kind) or is_named_tuple


def is_found_by_name(kind: type) -> bool:
    """Whether the class name in a checkpoint resolves to ``kind``; not for an inner class."""
    return getattr(sys.modules.get(kind.__module__), kind.__name__, None) is kind


def _hints_of(graph: Graph) -> Iterator[Any]:
    """The type hints of all that a run of ``graph`` may write into its memory."""
    waiting: list[object] = [graph]
    seen: dict[int, object] = {}
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen[id(one)] = one
        if isinstance(one, Pregel):
            for channel in one.channels.values():
                yield from (getattr(channel, name, None) for name in ("ValueType", "UpdateType"))
            if isinstance(one, CompiledStateGraph):
                yield from one.builder.schemas
            for node in one.nodes.values():
                waiting += [node.bound, *node.subgraphs]
        elif isinstance(one, _Task):
            yield _hints(one.func).get("return")
            waiting += _named_in(one.func)
        else:
            for function in _functions_of(one):
                # With Send, a node may get another type than the one LangGraph inferred for it.
                yield next(iter(_hints(function).values()), None)
                waiting += _named_in(function)
            waiting += getattr(one, "steps", ())


def _functions_of(runnable: object) -> list[Any]:
    """The functions of a node and of its tools."""
    tools = runnable.tools_by_name.values() if isinstance(runnable, ToolNode) else ()
    owners = (runnable, *tools)
    found = [getattr(one, name, None) for one in owners for name in ("func", "afunc", "coroutine")]
    return [_unpacked(function) for function in found if function is not None]


def _unpacked(function: Any) -> Any:
    """The function behind a ``partial`` or a callable object."""
    while isinstance(function, partial):
        function = function.func
    return function if inspect.isroutine(function) else type(function).__call__


def _named_in(function: Any) -> list[object]:
    """The graphs, tasks and chains that the body of a function refers to."""
    try:
        variables = inspect.getclosurevars(inspect.unwrap(function))
    except (TypeError, ValueError):  # not a Python function, or a variable that is not bound yet
        return []
    values = [*variables.nonlocals.values(), *variables.globals.values()]
    return [value for value in values if isinstance(value, (_Task, Runnable))]


def _classes_in(hint: Any, seen: dict[int, object]) -> Iterator[type]:
    """The classes in a type hint and in its fields; skips the hints whose ids are in ``seen``."""
    if id(hint) in seen:
        return
    seen[id(hint)] = hint
    if isinstance(hint, type) and get_origin(hint) is None:
        yield hint
        inner = _parts_of_class(hint)
    else:
        inner = _parts(hint)
    for part in inner:
        yield from _classes_in(part, seen)


def _parts(hint: Any) -> list[Any]:
    """The components of a type hint that is not a class."""
    if isinstance(hint, TypeVar):
        return [hint.__bound__, *hint.__constraints__, getattr(hint, "__default__", None)]
    for alias in ("__value__", "__supertype__"):  # ``type X = ...`` and NewType
        if hasattr(hint, alias):
            return [getattr(hint, alias)]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        reducers = [one for one in arguments[1:] if inspect.isroutine(one)]
        return [arguments[0], *(part for one in reducers for part in _hints(one).values())]
    if origin is Literal:
        return [type(value) for value in arguments]
    return [origin, *arguments]


def _parts_of_class(kind: type) -> list[Any]:
    """The hints of a class's fields, the arguments of its generic bases, and its subclasses."""
    by_name = is_written_by_name(kind)
    if not by_name and not is_typeddict(kind):
        return []
    bases = [part for base in getattr(kind, "__orig_bases__", ()) for part in get_args(base)]
    # A value of a project's class may be an instance of a subclass. The subclasses of a library's
    # class could be any type in the process; only messages are meant to be subclassed.
    is_wide = kind.__module__.partition(".")[0] in _WIDE and not issubclass(kind, BaseMessage)
    subclasses: list[type] = type.__subclasses__(kind) if by_name and not is_wide else []
    return [*_hints(kind).values(), *bases, *subclasses]


def _hints(thing: Any) -> dict[str, Any]:
    """The type hints of a class or function, without those that cannot be evaluated."""
    try:
        return get_type_hints(thing, include_extras=True)
    except Exception:  # noqa: BLE001 - a hint may be any expression or use typing-only names
        if not isinstance(thing, type):
            return {}
    found: dict[str, Any] = {}
    for base in reversed(thing.__mro__):
        for name, hint in vars(base).get("__annotations__", {}).items():
            namespace = {"__module__": base.__module__, "__annotations__": {name: hint}}
            try:
                found |= get_type_hints(type("field", (), namespace), include_extras=True)
            except Exception:  # noqa: BLE001, S112 - see above
                continue
    return found


def _log_once(event: SerdeEvent) -> None:
    """Log the way out, which LangGraph's own log line does not name."""
    name = f"{event['module']}.{event['name']}"
    if (
        event["kind"] != "msgpack_blocked"
        or name in logged_types
        or len(logged_types) >= MOST_LOGGED
    ):
        return
    logged_types.add(name)
    _log.warning(
        "a graph's memory holds an object of type %r, which its state does not name, so it is "
        "restored as plain data: name the type in the state's schema, as a class at the top level "
        "of its module, or in CallPolicy(state_types=(...,))",
        name,
    )


register_serde_event_listener(_log_once)
