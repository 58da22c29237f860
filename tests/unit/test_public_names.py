"""The public names: what docs/api.md describes is what can be imported, and loads what it must."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import lastword
from lastword import events, signals, testing
from lastword.extras import EXTRAS
from lastword.tools import check
from tests import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "api.md").read_text()
CHECK = "lastword.tools.check"
PUBLIC = {"lastword", "lastword.signals", "lastword.events", "lastword.testing", CHECK}
OF_PYTEST = {"lastword_conversation", "pytest_lastword_context"}
DOCUMENTS = [
    *(PROJECT_ROOT / "docs").glob("*.md"),
    PROJECT_ROOT / "README.md",
    PROJECT_ROOT / "SECURITY.md",
]


def described(module: str) -> set[str]:
    """The names in the first column of a module's tables."""
    [section] = re.findall(
        rf"^## {re.escape(module)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL
    )
    cells = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)", cell)}


def loaded_by(program: str) -> set[str]:
    """Names of the modules that are loaded after ``program``."""
    ran = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", f"{program}\nimport json, sys\nprint(json.dumps([*sys.modules]))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(ran.stdout))


def test_the_page_describes_every_public_name_and_no_other() -> None:
    assert described("lastword") == set(lastword.__all__)
    assert described("lastword.testing") - OF_PYTEST == set(testing.__all__)
    assert described("lastword.signals") | set(lastword.__all__) >= set(signals.__all__)
    assert described("lastword.signals") <= set(signals.__all__)
    of_types = {kind.__name__ for kind in events.EVENTS.values()}
    assert described("lastword.events") | of_types == set(events.__all__)
    assert described(CHECK) == set(check.__all__)


@pytest.mark.parametrize("module", ["lastword", "lastword.signals", "lastword.testing"])
def test_every_public_name_can_be_imported(module: str) -> None:
    public = import_module(module)
    for name in public.__all__:
        assert getattr(public, name) is not None
        assert name in dir(public)


def test_the_names_for_graphs_are_those_of_the_signals() -> None:
    for name in set(lastword.__all__) & set(signals.__all__):
        assert getattr(lastword, name) is getattr(signals, name)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'lastword' has no attribute 'end_cal'"):
        lastword.end_cal  # type: ignore[attr-defined]  # noqa: B018


def test_importing_the_package_loads_nothing_else() -> None:
    loaded = {name.partition(".")[0] for name in loaded_by("import lastword, lastword.testing")}
    assert loaded & {"livekit", "langgraph", "langchain_core", "pydantic", "typer"} == set()


def test_a_graph_that_uses_every_name_for_graphs_loads_no_livekit() -> None:
    names = ", ".join(sorted(set(lastword.__all__) & set(signals.__all__)))
    loaded = loaded_by(f"from lastword import {names}\nfrom lastword.signals import *")
    assert "langgraph" in {name.partition(".")[0] for name in loaded}
    assert [name for name in loaded if name.partition(".")[0] == "livekit"] == []


def test_the_version_is_that_of_the_package() -> None:
    assert lastword.__version__ == version("lastword")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documents_use_public_names_only(document: Path) -> None:
    text = document.read_text()
    imports = re.findall(r"^from (lastword[\w.]*) import ([\w, ]+)", text, re.MULTILINE)
    assert {module for module, _ in imports} <= PUBLIC
    for module, names in imports:
        for name in names.split(", "):
            assert name in import_module(module).__all__


def test_the_extras_are_those_of_the_project_and_of_the_page_about_them() -> None:
    toml = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    extras = toml["project"]["optional-dependencies"]
    assert set(EXTRAS) == set(extras) - {"studio", "production", "dev"}
    page = (PROJECT_ROOT / "docs" / "install.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", page.partition("## Size")[0], re.MULTILINE)
    assert [name for name, _ in rows] == list(extras)
    for name, brings in rows:
        wanted = {re.split(r"[\[~>=]", one)[0] for one in extras[name]} - {"lastword"}
        assert wanted <= set(re.findall(r"`([\w-]+)", brings))


@pytest.mark.parametrize("name", ["signals", "events", "testing", "tools"])
def test_a_public_module_is_an_attribute_of_the_package(name: str) -> None:
    program = f"import lastword; assert lastword.{name}.__name__ == 'lastword.{name}'"
    assert f"lastword.{name}" in loaded_by(program)
