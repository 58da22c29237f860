"""Lastword as a package: its wheel, and a user's project that installs it."""

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
    """One project for all tests, to compile packages only once; each module installs into it."""
    return user_project(tmp_path_factory.mktemp("user") / "project")
