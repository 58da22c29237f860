"""Record the lines of caller scripts: ``python -m lastword.tools.rehearsal.render_lines FILE...``.

A file is a caller script (YAML) or a ``.txt`` file with one spoken line per line. Lines that have a
recording are skipped. Needs flite (``apt install flite``, ``brew install flite``).
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import soundfile

from lastword.errors import LastwordError, ScriptError, SettingsError
from lastword.settings import read_settings
from lastword.terminal import print_error
from lastword.testing.stage.caller_voice import FLITE_VOICE, flite_voice, recording
from lastword.testing.stage.script import read_caller_settings
from lastword.testing.transcripts.transcript_file import read_transcript
from lastword.untrusted.bounded_input import MIB, BadInput, read_text

_INTO = "give --into FOLDER, or set [tool.lastword.call] lines in pyproject.toml"


def render(texts: list[str], lines: Path, voice: str = FLITE_VOICE) -> list[Path]:
    """Write the recordings that the folder ``lines`` does not have yet; returns their paths.

    Raises:
        LastwordError: flite is not installed.
    """
    program = shutil.which("flite")
    if program is None:
        raise LastwordError(
            "flite is not installed, and callers' lines are recorded with its voice: install flite"
        )
    missing = {recording(text, lines): text for text in texts}
    written = [path for path in missing if not path.is_file()]
    lines.mkdir(parents=True, exist_ok=True)
    for path in written:
        samples, rate = flite_voice(program, missing[path], voice)
        soundfile.write(path, samples, rate, format="OGG", subtype="OPUS")
    return written


def read_lines(path: Path) -> list[str]:
    """Read the caller's lines of a script or of a text file.

    Raises:
        ScriptError, TranscriptError: the file does not exist, or does not have the documented form.
    """
    try:
        if path.suffix != ".txt":
            return read_transcript(path).caller_lines
        return [line.strip() for line in read_text(path, MIB).split("\n") if line.strip()]
    except FileNotFoundError as error:
        raise ScriptError(f"{path} cannot be read: there is no such file") from error
    except BadInput as error:
        raise ScriptError(f"{path}{error.where} {error.why}") from error


def main() -> int:
    """Record the lines of the files on the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="render_lines", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--voice", default=FLITE_VOICE, help="a voice of flite (default: %(default)s)"
    )
    parser.add_argument("--into", type=Path, metavar="FOLDER", help=_INTO)
    given = parser.parse_args()
    try:
        into = given.into or read_caller_settings(read_settings().graphs_config).lines
        if into is None:
            raise SettingsError(f"no folder for the recordings is set: {_INTO}")
        texts = [line for file in given.files for line in read_lines(file)]
        written = render(texts, into, given.voice)
    except LastwordError as error:
        print_error(error)
        return 1
    sys.stdout.writelines(f"{path}\n" for path in written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
