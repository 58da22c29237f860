"""The graphs open in Studio and in plain tests: without the worker and without LiveKit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIG = json.loads((ROOT / "langgraph.json").read_text())
PROGRAM = """
import importlib, json, sys
for spec in sys.argv[1:]:
    module, _, name = spec.partition(":")
    loaded = importlib.import_module(module)
    assert getattr(loaded, name).checkpointer is None
    getattr(loaded, name).get_input_jsonschema()
    getattr(loaded, name).get_context_jsonschema()
    getattr(loaded, "call_policy")
print(json.dumps(sorted(sys.modules)))
"""


def test_three_graphs_are_named_by_module() -> None:
    assert CONFIG["graphs"] == {
        name: f"graphs.{name}.graph:graph" for name in ("appointment", "reception", "survey")
    }


def test_loading_them_all_loads_neither_the_worker_nor_livekit() -> None:
    ran = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, *CONFIG["graphs"].values()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "LASTWORD_PROVIDERS": "offline"},
    )
    assert ran.returncode == 0, ran.stderr
    loaded = json.loads(ran.stdout)
    assert "graphs.survey.graph" in loaded
    of_lastword = {name for name in loaded if name.startswith("lastword.")}
    assert of_lastword == {"lastword.lazy_names", "lastword.signals"}
    assert [name for name in loaded if name.split(".")[0] == "livekit"] == []


@pytest.mark.parametrize("name", CONFIG["graphs"])
def test_no_module_of_a_graph_imports_the_worker(name: str) -> None:
    sources = [path.read_text() for path in (ROOT / "graphs" / name).glob("*.py")]
    assert sources
    used = {
        module
        for text in sources
        for module in re.findall(r"(?:from|import) (lastword[\w.]*)", text)
    }
    assert used <= {"lastword", "lastword.signals"}
    assert not any("import livekit" in text for text in sources)
