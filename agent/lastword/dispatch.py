"""A call's dispatch: its graph, direction and caller, and the metadata that the graph gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, cast

from pydantic import BaseModel

from lastword.errors import MetadataError
from lastword.untrusted.bounded_input import KIB, BadInput, check_plain, read_json
from lastword.untrusted.printable import quoted

Direction = Literal["inbound", "outbound", "browser"]
_DIRECTIONS = ("inbound", "outbound", "browser")
MAX_SIZE = 64 * KIB
"""A LiveKit server allows 64,000 bytes for the metadata of rooms and participants."""


@dataclass(frozen=True)
class Dispatch:
    """The checked metadata of a dispatch; ``metadata`` is the whole JSON object."""

    graph: str | None
    direction: Direction
    metadata: Mapping[str, Any]
    participant_identity: str | None = None
    """The caller's identity in the room. None: ``lastword.room.presence`` chooses the caller."""


def read_dispatch(text: str) -> Dispatch:
    """Read the JSON metadata of a LiveKit dispatch; no metadata means an inbound call.

    Raises:
        MetadataError: the text is not a JSON object of plain values, it is longer than
            ``MAX_SIZE``, or ``graph``, ``direction`` or ``participant_identity`` is invalid.
    """
    try:
        metadata = read_json(text or "{}", MAX_SIZE)
    except BadInput as error:
        raise MetadataError(error.why) from error
    if not isinstance(metadata, dict):
        raise MetadataError(f"is {type(metadata).__name__}, not an object")
    return _checked(metadata)


def read_dispatch_of(metadata: Mapping[str, Any]) -> Dispatch:
    """Check the metadata of a dispatch.

    Raises:
        MetadataError: a value cannot be written as JSON, or ``graph``, ``direction`` or
            ``participant_identity`` is invalid.
    """
    try:
        check_plain(dict(metadata))
    except BadInput as error:
        raise MetadataError(error.why) from error
    return _checked(metadata)


def _checked(metadata: Mapping[str, Any]) -> Dispatch:
    graph = metadata.get("graph")
    if graph is not None and not isinstance(graph, str):
        raise MetadataError(f'has a "graph" that is not a name: {quoted(graph)}')
    direction = metadata.get("direction", "inbound")
    if direction not in _DIRECTIONS:
        raise MetadataError(
            f'has "direction": {quoted(direction)}, which is none of {", ".join(_DIRECTIONS)}'
        )
    identity = metadata.get("participant_identity")
    if identity is not None and not (isinstance(identity, str) and identity):
        raise MetadataError(
            f'has "participant_identity": {quoted(identity)}, which is not an identity'
        )
    return Dispatch(graph, cast("Direction", direction), metadata, identity)


def fitting(context: Mapping[str, Any], schema: Any) -> Any:
    """The fields of a call's context that the graph's own context type has.

    LangGraph builds a dataclass or a pydantic model from the context, and these accept no unknown
    fields. A field may also be a key of the dispatch's metadata.

    Args:
        context: the whole context, as ``lastword.signals.CallContext`` describes it.
        schema: the graph's context type; for a TypedDict or None the whole context is returned.
    """
    if is_dataclass(schema):
        names = {one.name for one in fields(schema)}
    elif isinstance(schema, type) and issubclass(schema, BaseModel):
        names = set(schema.model_fields)
    else:
        return context
    offered = {**context.get("metadata", {}), **context}
    return {name: value for name, value in offered.items() if name in names}
