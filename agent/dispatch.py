"""What a call's dispatch says: which graph, which way, and the caller's business data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from agent.errors import MetadataError

Direction = Literal["inbound", "outbound", "browser"]
_DIRECTIONS = ("inbound", "outbound", "browser")


@dataclass(frozen=True)
class Dispatch:
    """The metadata of a dispatch, checked; ``metadata`` is the whole JSON object."""

    graph: str | None
    direction: Direction
    metadata: Mapping[str, Any]
    participant_identity: str | None = None
    """Who the caller is in the room; None: the first who can be, see ``agent.presence``."""


def read_dispatch(text: str) -> Dispatch:
    """Read the JSON metadata of a LiveKit dispatch; no metadata at all is an inbound call.

    Raises:
        MetadataError: not a JSON object, or ``graph``, ``direction`` or ``participant_identity``
            is wrong.
    """
    try:
        metadata = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise MetadataError(f"is not JSON ({error})") from error
    if not isinstance(metadata, dict):
        raise MetadataError(f"is {type(metadata).__name__}, not an object")
    return read_dispatch_of(metadata)


def read_dispatch_of(metadata: Mapping[str, Any]) -> Dispatch:
    """Check the metadata of a dispatch.

    Raises:
        MetadataError: ``graph``, ``direction`` or ``participant_identity`` is wrong.
    """
    graph = metadata.get("graph")
    if graph is not None and not isinstance(graph, str):
        raise MetadataError(f'has a "graph" that is no name: {graph!r}')
    direction = metadata.get("direction", "inbound")
    if direction not in _DIRECTIONS:
        raise MetadataError(
            f'has "direction": {direction!r}, which is none of {", ".join(_DIRECTIONS)}'
        )
    identity = metadata.get("participant_identity")
    if identity is not None and not (isinstance(identity, str) and identity):
        raise MetadataError(f'has a "participant_identity" that is none: {identity!r}')
    return Dispatch(graph, cast("Direction", direction), metadata, identity)
