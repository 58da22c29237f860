"""A LiveKit voice agent whose LangGraph graph decides when to hang up.

The public names are in this module, in ``lastword.signals`` (the names for graphs), in
``lastword.events`` and in ``lastword.testing``; ``docs/api.md`` describes them. Everything else is
private. Names are imported on first use: ``import lastword`` loads no other module, and the names
for graphs do not load LiveKit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lastword.lazy_names import lazy_names

if TYPE_CHECKING:
    from lastword.bridge import GraphLLM
    from lastword.errors import LastwordError
    from lastword.memory.graph_memory import open_memory
    from lastword.memory.memory_url import read_memory_url
    from lastword.signals import (
        EVENT_KEY,
        CallContext,
        CallEvent,
        CallPolicy,
        CallState,
        EndCallSignal,
        Ending,
        EndingCancelled,
        Keypad,
        LimitNear,
        Opening,
        SaySignal,
        Silence,
        Voicemail,
        end_call,
        say,
        turn_certain,
    )

    __version__: str

__all__ = [
    "EVENT_KEY",
    "CallContext",
    "CallEvent",
    "CallPolicy",
    "CallState",
    "EndCallSignal",
    "Ending",
    "EndingCancelled",
    "GraphLLM",
    "Keypad",
    "LastwordError",
    "LimitNear",
    "Opening",
    "SaySignal",
    "Silence",
    "Voicemail",
    "__version__",
    "end_call",
    "open_memory",
    "read_memory_url",
    "say",
    "turn_certain",
]

if not TYPE_CHECKING:  # type checkers would accept any attribute
    __getattr__ = lazy_names(
        __name__,
        dict.fromkeys(__all__, "lastword.signals")
        | {
            "GraphLLM": "lastword.bridge",
            "LastwordError": "lastword.errors",
            "__version__": "lastword.version",
            "open_memory": "lastword.memory.graph_memory",
            "read_memory_url": "lastword.memory.memory_url",
        },
        submodules=("events", "signals", "testing", "tools"),
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
