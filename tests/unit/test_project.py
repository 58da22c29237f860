"""What a project's pyproject.toml tells Lastword is read, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lastword.errors import SettingsError
from lastword.project import Project, read_project
from lastword.testing.project_under_test import read_project_under_test
from tests import PROJECT_ROOT


def project(folder: Path, text: str) -> Project:
    (folder / "pyproject.toml").write_text(text)
    return read_project(folder / "langgraph.json")


def test_a_project_without_pyproject_or_table_has_no_settings(tmp_path: Path) -> None:
    assert read_project(tmp_path / "langgraph.json").content == {}
    assert project(tmp_path, "[tool.other]\na = 1").setting("call.scripts", str, '"x"') is None


def test_a_path_is_relative_to_the_pyproject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = project(tmp_path, '[tool.lastword.call]\nscripts = "callers"')
    monkeypatch.chdir("/")
    assert found.path("call.scripts", '"callers"') == tmp_path / "callers"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[tool.lastword", r"pyproject\.toml is not TOML"),
        ("tool.lastword = 1", r"pyproject\.toml: tool\.lastword must be a table"),
        ("tool.lastword.call = 1", r"tool\.lastword\.call must be a table"),
        (
            "[tool.lastword.call]\nscripts = 1",
            r'\[tool\.lastword\.call\] scripts must have the form scripts = "callers"',
        ),
    ],
)
def test_a_setting_of_another_kind_is_named_with_a_right_one(
    tmp_path: Path, text: str, why: str
) -> None:
    with pytest.raises(SettingsError, match=why):
        project(tmp_path, text).path("call.scripts", '"callers"')


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("nowhere_at_all:make", "does not load .ModuleNotFoundError"),
        ("json:nothing", "does not load .AttributeError"),
        ("json", "does not load"),
        ("json:__name__", "must be a function"),
    ],
)
def test_a_context_that_does_not_load_is_named(tmp_path: Path, spec: str, why: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.lastword.testing]\ncontext = "{spec}"')
    with pytest.raises(SettingsError, match=why):
        read_project_under_test(tmp_path / "langgraph.json")


def test_a_context_is_made_by_the_projects_function(tmp_path: Path) -> None:
    (tmp_path / "shop_of_this_test.py").write_text(
        "def context(folder):\n    return {'desk': str(folder)}\ndef nothing(folder): pass\n"
    )
    text = '[tool.lastword.testing]\ncontext = "shop_of_this_test:{}"'
    (tmp_path / "pyproject.toml").write_text(text.format("context"))
    make = read_project_under_test(tmp_path / "langgraph.json").call_context
    assert make(Path("here")) == {"desk": "here"}
    (tmp_path / "pyproject.toml").write_text(text.format("nothing"))
    with pytest.raises(SettingsError, match="returned NoneType, not a mapping"):
        read_project_under_test(tmp_path / "langgraph.json").call_context(tmp_path)


def test_without_a_function_there_is_no_context(tmp_path: Path) -> None:
    assert read_project_under_test(tmp_path / "langgraph.json").call_context(tmp_path) == {}


def test_the_samples_give_each_call_a_store_of_its_own(tmp_path: Path) -> None:
    made: Mapping[str, Any] = read_project_under_test(PROJECT_ROOT / "langgraph.json").call_context(
        tmp_path
    )
    assert Path(made["store_path"]).parent == tmp_path
