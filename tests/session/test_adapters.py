"""docs/adapters.md says what upstream's adapter and GraphLLM really do."""

from __future__ import annotations

import re
from types import ModuleType

import pytest
from livekit.agents import Agent

from benchmarks.adapter_rows import ROWS, Row
from benchmarks.adapters import compare, versions
from benchmarks.document import ADAPTERS, read_part, table
from tests.fakes.scripted_graph import ScriptedModel, talking_graph

LINES = read_part(ADAPTERS, "table").splitlines()
REWRITE = "run: python -m benchmarks.adapters --write"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.script.__name__.strip("_"))
async def test_a_line_of_the_comparison_is_what_both_adapters_do(row: Row) -> None:
    now = table(await compare(row)).splitlines()[0]
    written = [line for line in LINES if line.startswith(f"| {row.about} |")]
    assert written == [now], REWRITE


def test_the_comparison_has_no_other_lines_and_names_the_versions() -> None:
    assert len(LINES) == len(ROWS) + 2, REWRITE
    assert read_part(ADAPTERS, "versions") == versions(), REWRITE


async def test_the_replacement_in_the_docs_talks_and_tells_the_ending(
    capsys: pytest.CaptureFixture[str],
) -> None:
    [code] = re.findall(r"```python\n(.*?)```", ADAPTERS.read_text(), re.DOTALL)
    module = ModuleType("replacement")
    module.__dict__["graph"] = talking_graph(ScriptedModel(answers=[["Goodbye.", "<end>"]]))
    exec(compile(code, ADAPTERS.name, "exec"), module.__dict__)  # noqa: S102 - our own docs
    await module.session.start(Agent(instructions=""))
    try:
        await module.session.run(user_input="Bye.")
    finally:
        await module.session.aclose()
    assert [item.text_content for item in module.session.history.messages()] == ["Bye.", "Goodbye."]
    assert capsys.readouterr().out == "the graph ended the call: completed\n"
