"""What a call's dispatch says: which graph, which way, and the caller's business data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from lastword.errors import MetadataError
from lastword.untrusted.bounded_input import KIB, BadInput, check_plain, read_json
from lastword.untrusted.printable import quoted

Direction = Literal["inbound", "outbound", "browser"]
_DIRECTIONS = ("inbound", "outbound", "browser")
MAX_SIZE = 64 * KIB
"""A LiveKit server allows 64,000 bytes for the metadata of rooms and participants."""


@dataclass(frozen=True)
class Dispatch:
    """The metadata of a dispatch, checked; ``metadata`` is the whole JSON object."""

    graph: str | None
    direction: Direction
    metadata: Mapping[str, Any]
    participant_identity: str | None = None
    """Who the caller is in the room; None: the first who can be, see ``lastword.room.presence``."""


def read_dispatch(text: str) -> Dispatch:
    """Read the JSON metadata of a LiveKit dispatch; no metadata at all is an inbound call.

    Raises:
        MetadataError: not a JSON object of plain values, too large, or ``graph``, ``direction`` or
            ``participant_identity`` is wrong.
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
        MetadataError: a value is none that JSON could say, or ``graph``, ``direction`` or
            ``participant_identity`` is wrong.
    """
    try:
        check_plain(dict(metadata))
    except BadInput as error:
        raise MetadataError(error.why) from error
    return _checked(metadata)


def _checked(metadata: Mapping[str, Any]) -> Dispatch:
    graph = metadata.get("graph")
    if graph is not None and not isinstance(graph, str):
        raise MetadataError(f'has a "graph" that is no name: {quoted(graph)}')
    direction = metadata.get("direction", "inbound")
    if direction not in _DIRECTIONS:
        raise MetadataError(
            f'has "direction": {quoted(direction)}, which is none of {", ".join(_DIRECTIONS)}'
        )
    identity = metadata.get("participant_identity")
    if identity is not None and not (isinstance(identity, str) and identity):
        raise MetadataError(f'has "participant_identity": {quoted(identity)}, which is no identity')
    return Dispatch(graph, cast("Direction", direction), metadata, identity)
