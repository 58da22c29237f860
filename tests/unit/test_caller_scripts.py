"""Each bundled caller script, typed instead of spoken, comes to the ending it names."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

from graphs.rule_model import RuleChatModel
from tests import PROJECT_ROOT
from tests.fakes.conversation import Conversation, ended

FOLDER = PROJECT_ROOT / "graphs" / "callers"
SCRIPTS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))}


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 8


@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_script_comes_to_its_ending(name: str, tmp_path: Path) -> None:
    script = SCRIPTS[name]
    module = importlib.import_module(f"graphs.{script['graph']}.graph")
    builder = module.build(RuleChatModel(rules=module.RULES))
    call = Conversation(builder, tmp_path, script["metadata"])
    last = await call.talk(*(turn["caller"] for turn in script["turns"]))
    assert not any(ended(turn) for turn in call.turns[:-1])
    assert not any("say that again" in turn.said for turn in call.turns)
    assert ended(last)
    assert last.ending is not None
    assert last.ending["reason"] == script["ended"]["reason"]
