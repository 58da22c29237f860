"""What a graph's state holds comes back as what it was, where checkpoints are read strictly."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from lastword.memory.memory_types import logged_types
from lastword.settings import STRICT_CHECKPOINTS, inherited_environment
from lastword.testing.stage.processes import running_process
from tests import PROJECT_ROOT
from tests.fakes import typed_graphs
from tests.fakes.postgres import LocalPostgres
from tests.fakes.typed_graphs import GRAPHS, call, open_graph

ORDER = (
    "Order(to=Address(street=str), cart=Cart(items=(Item(name=str, colour=Colour)), mood=Mood), "
    "at=datetime, session=NoneType)"
)
ASK = {"task and question", "sent to a node", "asked within a tool"}
"""Graphs that go on after a question; the next call begins anew."""


def is_typed(heard: str) -> bool:
    return "Order(to=Address" in heard or "cart=Cart(items=(Item" in heard


@pytest.mark.parametrize("place", ["process", "sqlite"])
@pytest.mark.parametrize("name", GRAPHS)
async def test_p5_the_next_turn_has_objects_of_the_same_types(
    name: str, place: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path}/memory.sqlite3" if place == "sqlite" else None
    first, second = await call(GRAPHS[name](), url, turns=2)
    assert is_typed(first)
    assert second == first
    assert "plain data" not in caplog.text


@pytest.mark.parametrize("place", ["sqlite", "postgresql"])
@pytest.mark.parametrize("name", GRAPHS.keys() - ASK)
async def test_p5_the_next_call_has_objects_of_the_same_types(
    name: str, place: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/memory.sqlite3"
    if place == "postgresql":
        server: LocalPostgres = request.getfixturevalue("postgres")
        url = server.new_database()
    [first] = await call(GRAPHS[name](), url)
    [second] = await call(GRAPHS[name](), url)
    assert is_typed(first)
    assert second == first


async def in_another_process(name: str, url: str, env: Mapping[str, str]) -> list[str]:
    """One turn with a graph, in a process that begins with that call."""
    command = [sys.executable, "-m", typed_graphs.__name__, name, url]
    env = {**inherited_environment(), "PYTHONPATH": str(PROJECT_ROOT), **env}
    async with running_process("a call", command, env=env) as part:
        heard: list[str] = json.loads([line async for line in part.lines()][-1])
    return heard


@pytest.mark.parametrize("strict", ["", "true"])
@pytest.mark.parametrize("name", ["typed dictionary", "called subgraph", "functional"])
async def test_p5_another_process_has_objects_of_the_same_types(
    name: str, strict: str, tmp_path: Path
) -> None:
    url, env = f"sqlite:///{tmp_path}/memory.sqlite3", {STRICT_CHECKPOINTS: strict}
    [first] = await in_another_process(name, url, env)
    [second] = await in_another_process(name, url, env)
    assert is_typed(first)
    assert second == first


@pytest.mark.parametrize("place", ["process", "sqlite"])
async def test_p5_an_object_that_the_state_does_not_name_is_data_in_the_next_turn_and_logged(
    place: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path}/memory.sqlite3" if place == "sqlite" else None
    logged_types.clear()
    heard = await call(open_graph(), url, turns=3)
    assert heard[1].startswith("I know: dict(to=dict(street=str)")
    lines = [one.getMessage() for one in caplog.records if one.name == "lastword.memory"]
    [line] = [line for line in lines if "typed_graphs.Order" in line]
    assert "CallPolicy(state_types=(...,))" in line


async def test_p5_an_object_that_the_policy_names_comes_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path}/memory.sqlite3"
    heard = await call(open_graph(), url, turns=2, state_types=(typed_graphs.Order,))
    assert heard[1] == f"I know: {ORDER}"
    assert "plain data" not in caplog.text
