"""The errors that Lastword raises for its user, as a tree.

LastwordError
├── MissingExtra         a command or a setting needs an extra that is not installed
├── SettingsError        a setting is missing, incomplete or invalid
│   └── DeclarationError the declarations about graphs in pyproject.toml have the wrong form
├── GraphError           a graph cannot be loaded
│   ├── UnknownGraph     langgraph.json has no graph of this name
│   ├── BrokenGraph      langgraph.json has the name, but its module or variable does not load
│   └── GraphServerError the server of LASTWORD_GRAPH_URL does not answer, or lacks a graph
├── MemoryUnavailable    the memory of LASTWORD_GRAPH_MEMORY cannot be opened or written
│   └── ForeignCheckpoint it holds a checkpoint in an encoding that LangGraph does not write
├── UnwritableFile       a private file or folder cannot be written
├── MetadataError        the dispatch's metadata is not a JSON object
├── ScriptError          a caller script does not exist or cannot be used
├── TranscriptError      a transcript does not have the documented form
├── ConversationError    a conversation cannot be run as written
├── ServerUnavailable    livekit-server is missing and cannot be built, or does not start
├── AudioDeviceMissing   no microphone or loudspeaker for ``talk --audio``
├── CallFailed           a process of a rehearsed call failed
├── NoOpenQuestion       an operator answered, but the graph has asked no question
├── DatasetError         a file of labelled cases cannot be used
├── EvaluationFailed     an evaluation has no results, or cannot write them
└── BelowThreshold       a figure of an evaluation is below the required minimum

Each message is one sentence that names the problem and the way out. Commands print it and exit
with 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lastword.untrusted.printable import excerpt, public_url, quoted, without_secrets

_LONGEST_MESSAGE = 10_000
"""Characters per line."""


class LastwordError(Exception):
    """Base of every error that Lastword raises for its user.

    The first argument is the sentence. The others are lines that are printed below it, such as the
    last log lines of a process. Each argument is made printable and stays on one line.
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
    """``what`` needs extras that are not installed; the message gives the install command."""

    def __init__(self, what: str, extras: Sequence[str]) -> None:
        self.extras = tuple(extras)
        super().__init__(
            f'{what} needs an extra of Lastword: pip install "lastword[{",".join(extras)}]"'
        )


class SettingsError(LastwordError):
    """A setting is missing, incomplete or invalid; set the variable that the message names."""


class DeclarationError(SettingsError):
    """``[tool.lastword.coverage]`` has the wrong form; the message shows the right one."""

    def __init__(self, file: str, why: str) -> None:
        super().__init__(f"{file} {why}")


class GraphError(LastwordError):
    """A graph cannot be loaded."""


class UnknownGraph(GraphError):
    """``langgraph.json`` has no graph of this name."""

    def __init__(self, name: str, known: list[str], config: str) -> None:
        super().__init__(
            f"there is no graph {quoted(name)} in {config}; it has "
            f"{excerpt(', '.join(sorted(known)), 400) or 'none'}"
        )


class BrokenGraph(GraphError):
    """A graph of ``langgraph.json`` does not load from its spec; ``why`` is the reason."""

    def __init__(self, name: str, spec: str, why: str) -> None:
        self.why = without_secrets(" ".join(why.split()))
        where = f"graph {quoted(name)} ({excerpt(spec, 200)})"
        super().__init__(f"{where} does not load: {self.why}")


class MemoryUnavailable(LastwordError):
    """The graphs' memory cannot be opened or prepared; the message gives the reason."""

    def __init__(self, place: str, why: str) -> None:
        why = without_secrets(" ".join(why.split()))
        super().__init__(
            f"the graphs' memory {place!r} cannot be used ({why}): check that "
            "it exists and is writable, or change LASTWORD_GRAPH_MEMORY"
        )


class UnwritableFile(LastwordError):
    """A private file or folder cannot be written; the message gives the reason."""

    def __init__(self, path: Path, error: OSError) -> None:
        file, why = repr(str(path)), error.strerror or error
        self.why = f"{file} cannot be written: {why}"
        super().__init__(f"{file} cannot be written ({why}): correct that, or choose another path")


class ForeignCheckpoint(MemoryUnavailable):
    """A checkpoint has an encoding that LangGraph does not write, so it is not read."""

    def __init__(self, encoding: str) -> None:
        LastwordError.__init__(
            self,
            f"the graphs' memory holds a value in the encoding {quoted(encoding)}, which LangGraph "
            "does not write; it is not read, because it could run code: check who can write to the "
            "database, and delete the checkpoints of this call",
        )


class GraphServerError(GraphError):
    """The LangGraph server of ``LASTWORD_GRAPH_URL`` does not answer, or lacks a graph.

    The message shows the URL without the parts that may be secret.
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
    """A transcript does not have the documented form; the message names file, line and field."""

    def __init__(self, path: Path, line: int | None, why: str) -> None:
        super().__init__(f"{path}{'' if line is None else f':{line}'}: {why}")


class ConversationError(LastwordError):
    """A conversation cannot be run as written; the message gives the reason."""


class ServerUnavailable(LastwordError):
    """livekit-server is missing and cannot be built, or does not start."""


class AudioDeviceMissing(LastwordError):
    """The machine has no microphone or no loudspeaker."""


class CallFailed(LastwordError):
    """A process of a rehearsed call failed; the message has its name and its last log lines."""


class NoOpenQuestion(LastwordError):
    """An operator answered, but the graph has asked no question; the answer is ignored."""

    def __init__(self) -> None:
        super().__init__("the graph has no open question, so the answer was ignored")


class DatasetError(LastwordError):
    """Labelled cases cannot be used; the message names the file, the line and the field."""


class EvaluationFailed(LastwordError):
    """An evaluation has no results, or cannot write them; the message gives the reason."""


class BelowThreshold(LastwordError):
    """A figure of an evaluation is below the required minimum, or is undefined."""

    def __init__(self, name: str, value: float | None, wanted: float) -> None:
        is_ = "is undefined" if value is None else f"is {value:.3f}"
        super().__init__(
            f"{name} {is_}, but --fail-under-{name} requires {wanted:g}: see the wrong cases above"
        )
