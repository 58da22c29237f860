"""What a graph is told of its call: LangGraph's runtime context, cut to the graph's own type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel


def fitting(context: Mapping[str, Any], schema: Any) -> Any:
    """The part of ``context`` that a graph's own context type has, and the metadata's, by name.

    LangGraph makes a dataclass or a pydantic model of it; such a type takes no other fields.
    """
    if is_dataclass(schema):
        names = {one.name for one in fields(schema)}
    elif isinstance(schema, type) and issubclass(schema, BaseModel):
        names = set(schema.model_fields)
    else:
        return context
    offered = {**context.get("metadata", {}), **context}
    return {name: value for name, value in offered.items() if name in names}
