"""Caller scripts: transcripts that tell a simulated caller what to do, and their settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lastword.errors import ScriptError, SettingsError
from lastword.project import read_project
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
from lastword.untrusted.patterns import BadPattern, compile_pattern
from lastword.untrusted.printable import excerpt, quoted


@dataclass(frozen=True)
class CallerSettings:
    """``[tool.lastword.call]`` of a project: settings of its simulated callers, all optional.

    ``scripts`` is a folder of caller scripts; ``<graph>.yaml`` in it is the default for a graph.
    ``lines`` is a folder of recorded lines. ``repeat_when`` is a regular expression, ignoring case,
    for the agent's words after which the caller repeats its line.
    """

    scripts: Path | None = None
    lines: Path | None = None
    repeat_when: str | None = None


def read_caller_settings(config: Path) -> CallerSettings:
    """Read ``[tool.lastword.call]`` of the pyproject.toml beside ``config``.

    Relative paths are relative to that file's folder.

    Raises:
        SettingsError: a value is not a string, or ``repeat_when`` is not a regular expression that
            can be used.
    """
    project = read_project(config)
    repeat_when = project.setting("call.repeat_when", str, '"say that again"')
    try:
        compile_pattern(repeat_when or "")
    except BadPattern as error:
        raise SettingsError(f"{project.file}: [tool.lastword.call] repeat_when {error}") from error
    return CallerSettings(
        scripts=project.path("call.scripts", '"tests/callers"'),
        lines=project.path("call.lines", '"tests/callers/lines"'),
        repeat_when=repeat_when,
    )


def find_script(name: str | None, graph: str, scripts: Path | None) -> Path:
    """Find a caller script.

    Args:
        name: a path, or the name of a file in ``scripts``; default: the name of the graph.
        graph: the name of the graph that is called.
        scripts: the project's folder of caller scripts, if it has one.

    Raises:
        ScriptError: the script does not exist.
    """
    wanted = name or graph
    places = [] if name is None else [Path(name)]
    if scripts is not None:
        places.append(scripts / f"{wanted}.yaml")
    for path in places:
        if is_there(path):
            return path
    what = "there is no caller script" if name else "there is no caller script for the graph"
    if scripts is None:
        raise ScriptError(
            f"{what} {quoted(wanted)}: give --script FILE, a YAML file with the caller's lines "
            "(docs/conversations.md), or set a folder of scripts in pyproject.toml: "
            '[tool.lastword.call] scripts = "tests/callers"'
        )
    known = excerpt(", ".join(sorted(path.stem for path in scripts.glob("*.yaml"))), 400)
    raise ScriptError(
        f"{what} {quoted(wanted)}: give a YAML file, or the name of a script in {scripts}; it has "
        f"{known or 'none'}"
    )


def acts_of(transcript: Transcript) -> list[CallerLine]:
    """What the caller of a transcript does, turn by turn, without what a caller cannot do."""
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
