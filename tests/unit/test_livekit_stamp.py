"""The tests of LiveKit's own behaviour run again when a version of LiveKit has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.livekit.stamp import LOCKS, STAMP, main


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose present versions were tested."""
    for path in (*LOCKS, STAMP):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    for lock in LOCKS:
        (tmp_path / lock).write_text(f"what {lock} pins\n")
    assert main(tmp_path, ["--write"]) == 0
    return tmp_path


def test_versions_that_were_tested_are_not_tested_again(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(project, []) == 0
    assert "not again" in capsys.readouterr().out


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_a_lock_that_has_changed_is_named(
    project: Path, lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / lock).write_text("what it pins now\n")
    assert main(project, []) == 1
    assert capsys.readouterr().out.startswith(f"{lock} changed since")


def test_versions_that_were_never_tested_are_tested(project: Path) -> None:
    (project / STAMP).unlink()
    assert main(project, []) == 1
    (project / STAMP).write_text("nonsense")
    assert main(project, []) == 1
