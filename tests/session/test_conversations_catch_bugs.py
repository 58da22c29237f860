"""The conversations of the sample graphs fail for the bugs that people make, and say where."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests import PROJECT_ROOT
from tests.fakes.bugs import BUGS, Bug, Change, NoSuchPlace
from tests.fakes.forked_pytest import Ran, run_pytest

NO_BUG = Bug("no bug at all", (), "appointment/confirmed", "")
NO_BUG_IN_A_SESSION = Bug("none in a session", (), "appointment/confirmed", "", level="session")


def ran(bug: Bug, folder: Path) -> Ran:
    """Run the conversation of ``bug`` in a copy of the project that has the bug."""
    project = copy_project(folder, bug.conversation)
    for change in bug.changes:
        change.make(project, bug.name)
    options = ("-q", "-x", "--disable-plugin-autoload", "-p", "lastword.testing.pytest_plugin")
    return run_pytest(
        project,
        *options,
        *("tests/conversations", "--lastword-level", bug.level),
        sources=[project / "agent", project],
    )


def copy_project(folder: Path, conversation: str) -> Path:
    """The sources, and one conversation."""
    for name in ("agent", "graphs"):
        sound = shutil.ignore_patterns("*.ogg")
        shutil.copytree(PROJECT_ROOT / name, folder / name, ignore=sound)
    transcript = Path("tests/conversations", f"{conversation}.yaml")
    (folder / transcript).parent.mkdir(parents=True)
    for file in (Path("langgraph.json"), Path("pyproject.toml"), transcript):
        shutil.copy(PROJECT_ROOT / file, folder / file)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = aloud\n")
    return folder


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_conversation_catches_the_bug(bug: Bug, tmp_path: Path) -> None:
    run = ran(bug, tmp_path)
    assert run.code == pytest.ExitCode.TESTS_FAILED, run.printed
    where = rf"{re.escape(bug.conversation)}\.yaml:\d+: "
    assert re.search(where, run.printed), run.printed
    faults = re.findall(r"^[> ] {1,4}\d+  ([a-z_.]+): ", run.printed, re.MULTILINE)
    assert bug.field in faults, run.printed


@pytest.mark.parametrize("bug", [NO_BUG, NO_BUG_IN_A_SESSION], ids=lambda bug: bug.level)
def test_without_a_bug_it_passes(bug: Bug, tmp_path: Path) -> None:
    run = ran(bug, tmp_path)
    assert run.code == pytest.ExitCode.OK, run.printed
    assert "1 passed" in run.printed


def test_a_bug_whose_place_is_gone_is_named(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("once once")
    with pytest.raises(NoSuchPlace, match="forgetful: .* 2 times in code.py"):
        Change("code.py", "once", "never").make(tmp_path, "forgetful")
