"""The errors a user can meet, as a tree.

LastwordError
├── MissingExtra         a command or a setting needs an extra that is not installed
├── SettingsError        a setting is missing, half-set or wrong
│   └── DeclarationError what pyproject.toml declares about graphs is of another form
├── GraphError           a graph cannot be loaded
│   ├── UnknownGraph     no such name in langgraph.json
│   ├── BrokenGraph      the name is there, what it points to does not load
│   └── GraphServerError the server of LASTWORD_GRAPH_URL does not answer, or lacks a graph
├── MemoryUnavailable    the memory of LASTWORD_GRAPH_MEMORY cannot be opened or written
│   └── ForeignCheckpoint a checkpoint in it is in an encoding that LangGraph does not write
├── UnwritableFile       a file with what people said cannot be written for the owner alone
├── MetadataError        the dispatch's metadata is not a JSON object
├── ScriptError          there is no such caller script
├── TranscriptError      a transcript is not of the documented shape
├── ConversationError    a conversation cannot be had as it is written
├── ServerUnavailable    livekit-server is not there and cannot be built, or does not start
├── AudioDeviceMissing   no microphone or loudspeaker for ``talk --audio``
├── CallFailed           a part of a rehearsed call broke; names the part and its last words
├── NoOpenQuestion       an operator answered a graph that asks nothing
├── DatasetError         a file of labelled cases cannot be used
├── EvaluationFailed     an evaluation has no figures, or cannot write them
└── BelowThreshold       an evaluation's figure is below what was asked for

Each message is one sentence that names the thing and the way out; command lines print it and
exit with 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lastword.untrusted.printable import excerpt, public_url, quoted, without_secrets

_LONGEST_MESSAGE = 10_000
"""Characters of one line."""


class LastwordError(Exception):
    """Base of every error that Lastword raises for its user.

    The first argument is the sentence. The others are lines that are printed below it, such as the
    last words of a process. Whatever they quote, the message is printable, and each stays a line.
    """

    def __str__(self) -> str:
        sentence, *lines = self.args or ("",)
        return "\n".join(
            [
                excerpt(sentence, _LONGEST_MESSAGE),
                *(f"  {excerpt(line, _LONGEST_MESSAGE)}" for line in lines),
            ]
        )


class MissingExtra(LastwordError):
    """``what`` needs extras that are not installed; the message has the command that helps."""

    def __init__(self, what: str, extras: Sequence[str]) -> None:
        self.extras = tuple(extras)
        super().__init__(
            f'{what} needs more than the plain install: pip install "lastword[{",".join(extras)}]"'
        )


class SettingsError(LastwordError):
    """A setting is missing, half-set or wrong; set the variable that the message names."""


class DeclarationError(SettingsError):
    """What ``[tool.lastword.coverage]`` says cannot be read; the message shows its form."""

    def __init__(self, file: str, why: str) -> None:
        super().__init__(f"{file} {why}")


class GraphError(LastwordError):
    """A graph cannot be loaded."""


class UnknownGraph(GraphError):
    """``langgraph.json`` has no graph of that name."""

    def __init__(self, name: str, known: list[str], config: str) -> None:
        super().__init__(
            f"there is no graph {quoted(name)} in {config}; it has "
            f"{excerpt(', '.join(sorted(known)), 400) or 'none'}"
        )


class BrokenGraph(GraphError):
    """``langgraph.json`` names the graph, but what it points to does not load; ``why`` says why."""

    def __init__(self, name: str, spec: str, why: str) -> None:
        self.why = without_secrets(" ".join(why.split()))
        where = f"graph {quoted(name)} ({excerpt(spec, 200)})"
        super().__init__(f"{where} does not load: {self.why}")


class MemoryUnavailable(LastwordError):
    """The graphs' memory cannot be opened or its tables cannot be made; the message says why."""

    def __init__(self, place: str, why: str) -> None:
        why = without_secrets(" ".join(why.split()))
        super().__init__(
            f"the graphs' memory {place!r} cannot be used ({why}): see that it "
            "is there and may be written, or change LASTWORD_GRAPH_MEMORY"
        )


class UnwritableFile(LastwordError):
    """A file or folder cannot be written for the owner alone; the message says why."""

    def __init__(self, path: Path, error: OSError) -> None:
        file, why = repr(str(path)), error.strerror or error
        self.why = f"{file} cannot be written: {why}"
        super().__init__(
            f"{file} cannot be written ({why}): make that possible, or choose another place"
        )


class ForeignCheckpoint(MemoryUnavailable):
    """A checkpoint is in an encoding that LangGraph does not write; it could run code, unread."""

    def __init__(self, encoding: str) -> None:
        LastwordError.__init__(
            self,
            f"the graphs' memory holds a value in the encoding {quoted(encoding)}, which LangGraph "
            "does not write and which is not read, as it could run code: see who can write to the "
            "database, and delete the checkpoints of this call",
        )


class GraphServerError(GraphError):
    """The LangGraph server of ``LASTWORD_GRAPH_URL`` does not answer, or lacks a graph.

    The URL is shown without what may be a secret in it.
    """

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"the LangGraph server at {public_url(url)} {why}: check LASTWORD_GRAPH_URL, "
            "or leave it empty to run the graphs in the worker"
        )


class MetadataError(LastwordError):
    """The dispatch's metadata is not a JSON object with the documented keys."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f'the dispatch metadata {why}; send a JSON object such as {{"graph": "booking"}}'
        )


class ScriptError(LastwordError):
    """A caller script cannot be used; the message names the file and the field."""


class TranscriptError(LastwordError):
    """A transcript is not of the documented shape; the message names file, line and field."""

    def __init__(self, path: Path, line: int | None, why: str) -> None:
        super().__init__(f"{path}{'' if line is None else f':{line}'}: {why}")


class ConversationError(LastwordError):
    """A conversation cannot be had as it is written; the message says what stands in the way."""


class ServerUnavailable(LastwordError):
    """livekit-server is not there and cannot be built, or does not start."""


class AudioDeviceMissing(LastwordError):
    """The machine has no microphone or no loudspeaker."""


class CallFailed(LastwordError):
    """A part of a rehearsed call broke; the message names the part and its last log lines."""


class NoOpenQuestion(LastwordError):
    """An operator's answer came, but the graph does not wait for one; nothing was done."""

    def __init__(self) -> None:
        super().__init__("the graph asks nothing just now, so there is nothing to answer")


class DatasetError(LastwordError):
    """Labelled cases cannot be used; the message names the file, the line and the field."""


class EvaluationFailed(LastwordError):
    """An evaluation has no figures, or cannot write them; the message says why."""


class BelowThreshold(LastwordError):
    """A figure of an evaluation is below what was asked for."""

    def __init__(self, name: str, value: float | None, wanted: float) -> None:
        is_ = "cannot be said" if value is None else f"is {value:.3f}"
        super().__init__(
            f"{name} {is_}, but --fail-under-{name} asks for {wanted:g}: read the wrong cases above"
        )
