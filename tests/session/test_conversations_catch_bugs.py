"""The conversations of the sample graphs fail for the bugs that people make, and say where."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from lastword.settings import inherited_environment
from tests import PROJECT_ROOT
from tests.fakes.bugs import BUGS, Bug, Change, NoSuchPlace

NO_BUG = Bug("no bug at all", (), "appointment/confirmed", "")
NO_BUG_IN_A_SESSION = Bug("none in a session", (), "appointment/confirmed", "", level="session")
ALL = {bug.name: bug for bug in (*BUGS, NO_BUG, NO_BUG_IN_A_SESSION)}
PYTEST = ("-m", "pytest", "-q", "-x", "-p", "lastword.testing.pytest_plugin")
Ran = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Ran]]]:
    """The chosen bugs' runs, as many at a time as there are processors."""
    chosen = {
        str(item.callspec.params["name"])
        for item in request.session.items
        if item.path == request.path and isinstance(item, pytest.Function) and _has_name(item)
    }
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {name: pool.submit(ran, ALL[name], tmp_path_factory) for name in chosen}


def _has_name(item: pytest.Function) -> bool:
    return hasattr(item, "callspec") and "name" in item.callspec.params


def ran(bug: Bug, folders: pytest.TempPathFactory) -> Ran:
    """Have the conversation of ``bug`` in a copy of the project that has it."""
    project = copy_project(folders.mktemp("project"), bug.conversation)
    for change in bug.changes:
        change.make(project, bug.name)
    alone = {"PYTHONPATH": f"{project / 'agent'}:{project}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, *PYTEST, "tests/conversations", "--level", bug.level],
        cwd=project,
        env={**inherited_environment(), **alone},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
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


@pytest.mark.parametrize("name", [bug.name for bug in BUGS])
def test_a_conversation_catches_the_bug(name: str, runs: Mapping[str, Future[Ran]]) -> None:
    bug, run = ALL[name], runs[name].result()
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout + run.stderr
    where = rf"{re.escape(bug.conversation)}\.yaml:\d+: "
    assert re.search(where, run.stdout), run.stdout
    faults = re.findall(r"^[> ] {1,4}\d+  ([a-z_.]+): ", run.stdout, re.MULTILINE)
    assert bug.field in faults, run.stdout


@pytest.mark.parametrize("name", [NO_BUG.name, NO_BUG_IN_A_SESSION.name])
def test_without_a_bug_it_passes(name: str, runs: Mapping[str, Future[Ran]]) -> None:
    run = runs[name].result()
    assert run.returncode == pytest.ExitCode.OK, run.stdout + run.stderr
    assert "1 passed" in run.stdout


def test_a_bug_whose_place_is_gone_is_named(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("once once")
    with pytest.raises(NoSuchPlace, match="forgetful: .* 2 times in code.py"):
        Change("code.py", "once", "never").make(tmp_path, "forgetful")
