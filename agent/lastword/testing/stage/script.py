"""What a simulated caller does: a transcript's turns."""

from __future__ import annotations

from pathlib import Path

from lastword.errors import ScriptError
from lastword.testing.stage.caller_job import CallerLine
from lastword.testing.transcripts.transcript import (
    CallerSays,
    HangsUp,
    Keypad,
    Silence,
    Transcript,
    Trigger,
)
from lastword.untrusted.bounded_input import is_there
from lastword.untrusted.printable import quoted

BUNDLED = Path("graphs/callers")


def find_script(name: str | None, graph: str | None) -> Path:
    """Find a transcript by path or by the name of a bundled one; default is the graph's own.

    Raises:
        ScriptError: there is none.
    """
    given, name = name, name or graph or "appointment"
    for path in (Path(name), BUNDLED / f"{name}.yaml"):
        if is_there(path):
            return path
    bundled = ", ".join(sorted(path.stem for path in BUNDLED.glob("*.yaml")))
    what = "there is no caller script" if given else "there is no caller script for the graph"
    raise ScriptError(f"{what} {quoted(name)}; give a YAML file, or one of the bundled: {bundled}")


def acts_of(transcript: Transcript) -> list[CallerLine]:
    """What the caller of a transcript does, turn by turn; what a caller cannot do is left out."""
    return [act for one in transcript.exchanges if (act := _act(one.trigger)) is not None]


def _act(trigger: Trigger | None) -> CallerLine | None:
    match trigger:
        case CallerSays(caller=words, over=over):
            return CallerLine(words, over)
        case HangsUp(over=over):
            return CallerLine(over=over, does="hang_up")
        case Silence():
            return CallerLine(does="listen")
        case Keypad(keypad=keys):
            return CallerLine(does="press", keys=keys)
        case _:
            return None
