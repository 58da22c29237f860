"""The code in docs/ runs, and does what the page says."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import pytest
from livekit.agents import Agent

from lastword.bridge import GraphLLM
from lastword.hangup.call_end import CallEnd
from tests import PROJECT_ROOT
from tests.fakes.phone import phone_call
from tests.fakes.scripted_graph import ScriptedModel, talking_graph

GRAPHS_PAGE = (PROJECT_ROOT / "docs" / "graphs.md").read_text()


def block(number: int) -> ModuleType:
    """One of the page's pieces of Python, as a module."""
    code = re.findall(r"```python\n(.*?)```", GRAPHS_PAGE, re.DOTALL)[number]
    module = ModuleType("example")
    exec(compile(code, "docs/graphs.md", "exec"), module.__dict__)  # noqa: S102 - our own page
    return module


@pytest.mark.parametrize(
    ("answer", "spoken", "cancelled"),
    [
        ("Yes, please.", "One moment. Done. Goodbye!", ["table 7"]),
        ("No, wait.", "Then it stays as it is.", []),
    ],
)
async def test_the_graph_that_asks_cancels_only_what_it_should(
    answer: str, spoken: str, cancelled: list[str]
) -> None:
    example = block(0)
    async with phone_call(example.graph) as phone:
        await phone.say("Cancel my table.")
        await phone.say(answer)
        assert phone.spoken() == ["Shall I really cancel your table?", spoken]
        if cancelled:
            assert await phone.running == CallEnd("graph", "cancelled", {"table": 7})
    assert example.cancelled == cancelled


async def test_the_worker_of_ones_own_sees_the_ending(capsys: pytest.CaptureFixture[str]) -> None:
    session = block(2).make_session(talking_graph(ScriptedModel(answers=[["Goodbye.<end>"]])))
    assert isinstance(session.llm, GraphLLM)
    async with session:
        await session.start(Agent(instructions=""))
        result: Any = await session.run(user_input="bye")
        result.expect.next_event().is_message(role="assistant")
    assert capsys.readouterr().out == "over: completed None\n"


def test_every_link_of_the_docs_leads_somewhere() -> None:
    for page in (PROJECT_ROOT / "docs").glob("*.md"):
        links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
        assert [link for link in links if not (page.parent / link).exists()] == []
    files = set(re.findall(r"`((?:tests|agent|graphs)/[a-z_0-9/.]+)`", GRAPHS_PAGE))
    assert [name for name in files if not (PROJECT_ROOT / name).exists()] == []


def test_the_start_page_lists_every_page() -> None:
    start = (PROJECT_ROOT / "docs" / "README.md").read_text()
    pages = {page.name for page in (PROJECT_ROOT / "docs").glob("*.md")} - {"README.md"}
    assert [page for page in sorted(pages) if f"({page})" not in start] == []
