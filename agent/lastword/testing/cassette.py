"""A cassette: the recorded answers of a chat model, kept beside a transcript."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from pathlib import Path
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from lastword.errors import TranscriptError
from lastword.untrusted.bounded_input import MIB, BadInput, read_text, read_yaml, write_yaml
from lastword.untrusted.printable import excerpt

ENDING = ".cassette.yaml"
MAX_SIZE = 8 * MIB
"""Bytes: enough for a hundred requests of 80 KiB; each contains the conversation so far."""
_ABOUT = (
    "# Answers of the graph's chat model, recorded with --lastword-record. A request that is not\n"
    "# in this file fails the test: record again, or correct the prompt.\n"
)
_ROLES = {"human": "caller", "ai": "agent"}


@dataclass(frozen=True)
class ModelRequest:
    """A request to a chat model: the messages as text, and the schemas of its tools by name."""

    node: str
    asked: str
    tools: Mapping[str, Any]

    @property
    def key(self) -> str:
        """A hash of the messages and tools, but not of the model."""
        what = json.dumps([self.asked, self.tools], sort_keys=True)
        return hashlib.sha256(what.encode()).hexdigest()[:16]


def read_request(node: str, prompt: str, model: str) -> ModelRequest:
    """Read a request from the arguments that LangChain passes to a cache.

    Args:
        node: the name of the graph's node that makes the request.
        prompt: the messages, in LangChain's JSON.
        model: the model and its parameters, in LangChain's text for caches.
    """
    try:
        messages = [one["kwargs"] for one in json.loads(prompt)]
    except (ValueError, KeyError, TypeError):  # the prompt of a text completion model is plain text
        return ModelRequest(node, prompt, _tools(model))
    return ModelRequest(node, "\n".join(map(_line, messages)), _tools(model))


def _line(message: Mapping[str, Any]) -> str:
    content = message.get("content", "")
    text = content if isinstance(content, str) else json.dumps(content)
    calls = [
        f"[{one['name']}({json.dumps(one['args'], sort_keys=True)})]"
        for one in message.get("tool_calls") or ()
    ]
    role = _ROLES.get(message["type"], message["type"])
    return f"{role}: {' '.join(filter(None, [text, *calls]))}"


def _tools(model: str) -> dict[str, Any]:
    """Parameters by tool name; ``model`` ends with the repr of a list of pairs."""
    try:
        params = dict(ast.literal_eval(model.rpartition("---")[2]))
    except (ValueError, SyntaxError, TypeError):
        return {}
    functions = [one.get("function", one) for one in params.get("tools") or ()]
    return {one["name"]: one.get("parameters") for one in functions if "name" in one}


class Cassette:
    """The recorded answers of one conversation, in order.

    Args:
        path: the file that ``save`` writes.
        entries: the content of the file; empty for a new cassette.
    """

    def __init__(self, path: Path, entries: Sequence[Mapping[str, Any]] = ()) -> None:
        self.path = path
        self._entries = [dict(entry) for entry in entries]
        self._used: set[int] = set()

    def find(self, request: ModelRequest) -> AIMessage | None:
        """Return the answer to ``request``, or None.

        When the same request was recorded several times, each call returns the next answer; after
        the last one, the last is repeated.
        """
        same = [at for at, entry in enumerate(self._entries) if entry["key"] == request.key]
        if not same:
            return None
        at = next((one for one in same if one not in self._used), same[-1])
        self._used.add(at)
        return _message(self._entries[at]["answer"])

    def add(self, request: ModelRequest, answer: AIMessage) -> None:
        """Record an answer."""
        calls = [{"name": one["name"], "args": one["args"]} for one in answer.tool_calls]
        self._entries.append(
            {
                "node": request.node,
                "asked": request.asked,
                "tools": sorted(request.tools),
                "key": request.key,
                "answer": {"says": str(answer.text), "calls": calls},
            }
        )

    def difference(self, request: ModelRequest) -> str:
        """Return a diff between ``request`` and the most similar recorded request."""
        if not self._entries:
            return "the cassette is empty"
        nearest = max(
            self._entries,
            key=lambda entry: SequenceMatcher(None, entry["asked"], request.asked).ratio(),
        )
        lines = unified_diff(
            nearest["asked"].splitlines(), request.asked.splitlines(), "recorded", "now", n=1
        )
        found = "\n".join(line.rstrip("\n") for line in lines)
        return found or "the messages are the same, but the tools differ"

    @property
    def has_answers(self) -> bool:
        """Whether any answer is recorded."""
        return bool(self._entries)

    def save(self) -> None:
        """Write the file; the old file is replaced only by a complete new one."""
        text = write_yaml({"answers": self._entries})
        written = self.path.with_suffix(".new")
        written.write_text(_ABOUT + text, encoding="utf-8")
        written.replace(self.path)


def cassette_path(transcript: Path) -> Path:
    """The path of a transcript's cassette, which is in the same folder."""
    return transcript.with_name(transcript.stem + ENDING)


class _Call(TypedDict):
    name: str
    args: dict[str, Any]


class _Answer(TypedDict):
    says: str
    calls: list[_Call]


class _Entry(TypedDict):
    asked: str
    key: str
    answer: _Answer


class _Content(TypedDict):
    answers: list[_Entry]


_CASSETTE = TypeAdapter(_Content)


def read_cassette(path: Path) -> Cassette:
    """Read a cassette.

    Raises:
        TranscriptError: the file cannot be read, or is not a valid cassette.
    """
    try:
        _, content = read_yaml(read_text(path, MAX_SIZE), controls=True)
        _CASSETTE.validate_python(content, strict=True)
    except (BadInput, OSError) as error:
        raise _no_cassette(path, str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = excerpt(".".join(map(str, first["loc"])), 80)
        raise _no_cassette(path, f"{field or 'it'}: {first['msg']}") from error
    return Cassette(path, content["answers"])


def _no_cassette(path: Path, why: str) -> TranscriptError:
    return TranscriptError(
        path, None, f"is not a valid cassette ({why}); record it again (pytest --lastword-record)"
    )


def _message(answer: Mapping[str, Any]) -> AIMessage:
    return model_message(answer["says"], [(one["name"], one["args"]) for one in answer["calls"]])


def model_message(says: str, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> AIMessage:
    """Create the message of an answer, with ids like those of a real model."""
    made = [tool_call(name=name, args=dict(args), id=f"call_{uuid4().hex}") for name, args in calls]
    # LangChain adds a cost to the usage of a cached answer, which needs the other fields too.
    nothing = UsageMetadata(input_tokens=0, output_tokens=0, total_tokens=0)
    identifier = f"lc_run--{uuid4()}"
    return AIMessage(content=says, tool_calls=made, id=identifier, usage_metadata=nothing)
