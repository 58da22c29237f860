"""The package knows nothing of the sample project: no name, path or sentence of it."""

from __future__ import annotations

import re
from pathlib import Path

import lastword
from tests import PROJECT_ROOT

SAMPLES = re.compile(
    r"\b(from|import) graphs\b|[\"'(/]graphs[./][a-z]|PracticeContext|store_path|RuleChatModel"
    r"|lastword-rules|\bsample (graph|project)|\b(appointment|reception|survey|practice)s?\b",
    re.IGNORECASE,
)


def test_no_source_of_the_package_names_the_samples() -> None:
    package = Path(lastword.__file__).parent
    found = [
        f"{path.relative_to(package)}:{number}: {line.strip()}"
        for path in sorted(package.rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if SAMPLES.search(line)
    ]
    assert found == []


def test_the_words_that_are_looked_for_are_those_of_the_samples() -> None:
    sources = "\n".join(path.read_text() for path in (PROJECT_ROOT / "graphs").rglob("*.py"))
    for word in ("PracticeContext", "store_path", "RuleChatModel", "appointment", "survey"):
        assert word in sources
        assert SAMPLES.search(f"'{word}'")
