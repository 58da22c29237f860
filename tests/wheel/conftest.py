"""Lastword as a package: its wheel, and a project of a user that installs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.user_project import UserProject, build_wheel, user_project


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return build_wheel(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> UserProject:
    """One environment for all tests, as Python compiles what it imports; each module installs."""
    return user_project(tmp_path_factory.mktemp("user") / "project")
