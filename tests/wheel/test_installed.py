"""Lastword installed into a project that has its own packages ``agent`` and ``graphs`` (P13)."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from lastword.testing.stage.livekit_server import build_server, find_server
from tests.fakes.user_project import Kind, UserProject, lastword_from

OF_WHEEL = pytest.mark.parametrize("installed", ["wheel"], indirect=True)
WHERE = """
import importlib
for name in ("agent", "graphs", "lastword"):
    try:
        print(name, importlib.import_module(name).__file__)
    except ModuleNotFoundError:
        print(name, None)
"""
USES = '''
"""Uses the public names, as a user's own worker does."""

from typing import Any

from langgraph.graph import START, StateGraph
from livekit.agents import AgentSession

from lastword import (
    CallContext,
    CallEvent,
    CallPolicy,
    CallState,
    Ending,
    GraphLLM,
    end_call,
    say,
    turn_certain,
)
from lastword.testing import Conversations, FakeSTT, FakeTTS, Interruption


async def talk(state: CallState) -> dict[str, Any]:
    event: CallEvent | None = state.get("event")
    if event is not None and event["kind"] == "silence":
        say(f"Are you there? {event['count']}")
    await turn_certain()
    end_call("completed", {"seen": True})
    ending: Ending = {"reason": "completed"}
    return {"ending": ending}


builder = StateGraph(CallState, context_schema=CallContext)
builder.add_node(talk)
builder.add_edge(START, "talk")
llm = GraphLLM(builder.compile(), policy=CallPolicy(tail=0.3))
session: AgentSession[None] = AgentSession(llm=llm, stt=FakeSTT(), tts=FakeTTS())


async def test_it(lastword_conversation: Conversations) -> None:
    async with lastword_conversation("desk") as call:
        await call.says("Hello.", interrupted=Interruption("Thank you", "Wait!"))
'''


@dataclass(frozen=True)
class Installed:
    """The project, and the arguments that install Lastword and the project itself."""

    project: UserProject
    kind: Kind
    lastword: list[str]
    own: list[str]

    def where(self) -> dict[str, str]:
        """The files of ``agent``, ``graphs`` and ``lastword``; "None" for a missing package."""
        ran = self.project.run("python", "-P", "-c", WHERE)
        assert ran.code == 0, ran.printed
        return dict(line.split(maxsplit=1) for line in ran.printed.splitlines())


@pytest.fixture(scope="module", params=["wheel", "editable"])
def installed(request: pytest.FixtureRequest, project: UserProject, wheel: Path) -> Installed:
    """Lastword with the extras for calls and tests, and the project; both editable or neither."""
    folder = str(project.folder)
    lastword = lastword_from(wheel, "[offline,testing]", request.param)
    own = ["-e", folder] if request.param == "editable" else [folder]
    project.install(*lastword, *own, exact=True)
    return Installed(project, request.param, lastword, own)


def test_p13_the_wheel_has_one_package_that_is_typed(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"lastword"}
    assert "lastword/py.typed" in names


def test_p13_project_and_package_can_be_uninstalled_and_reinstalled_separately(
    installed: Installed,
) -> None:
    project, before = installed.project, installed.where()
    roots = {Path(file).parent.parent for file in before.values()}
    assert len(roots) == (2 if installed.kind == "editable" else 1)
    project.uninstall("lastword")
    assert installed.where() == before | {"lastword": "None"}
    assert project.run("python", "-m", "lastword", "--version").code != 0
    project.install(*installed.lastword)
    project.uninstall("front-desk")
    assert installed.where() == {"agent": "None", "graphs": "None", "lastword": before["lastword"]}
    project.install(*installed.own)
    assert installed.where() == before
    project.uninstall("lastword", "front-desk")
    assert set(installed.where().values()) == {"None"}
    left = {path.name for path in project.packages.iterdir()}
    assert left & {"agent", "graphs", "lastword"} == set()
    project.install(*installed.lastword, *installed.own)
    assert installed.where() == before


def test_p13_the_command_prints_its_version_and_checks_the_graphs(installed: Installed) -> None:
    assert installed.project.run("lastword", "--version").printed == "lastword 0.1.0\n"
    checked = installed.project.run("lastword", "check")
    assert (checked.code, checked.printed) == (0, "1 graph, 2 nodes, no findings.\n")


def test_p13_talk_runs_a_text_conversation(installed: Installed) -> None:
    ran = installed.project.run("lastword", "talk", typed="My name is Anna.\n")
    assert ran.code == 0
    assert "agent> Thank you for calling. Goodbye!" in ran.printed
    assert "Call ended by graph: noted" in ran.printed


@pytest.mark.parametrize(
    ("installed", "level"),
    [("wheel", "graph"), ("wheel", "session"), ("editable", "session")],
    indirect=["installed"],
)
def test_p13_pytest_runs_the_conversations(installed: Installed, level: str) -> None:
    arguments = ("--lastword-level", level, "--lastword-graph-coverage")
    ran = installed.project.run("pytest", "-q", *arguments)
    assert ran.code == 0, ran.printed
    assert "3 passed" in ran.printed
    assert "2/2 100 %" in ran.printed


@OF_WHEEL
@pytest.mark.timeout(300)
def test_p13_a_whole_call_and_a_conversation_run_in_a_room(
    installed: Installed,
) -> None:
    server = {"LIVEKIT_SERVER_BIN": str(find_server() or build_server(print))}
    script = "tests/conversations/without_clock.yaml"
    called = installed.project.run("lastword", "call", "--script", script, **server)
    assert called.code == 0, called.printed
    assert "noted" in called.printed
    arguments = ("-q", script, "--lastword-level", "room")
    ran = installed.project.run("pytest", *arguments, **server)
    assert ran.code == 0, ran.printed
    assert "1 passed" in ran.printed


@OF_WHEEL
@pytest.mark.timeout(300)
def test_p13_mypy_strict_knows_the_public_names_and_no_others(
    installed: Installed, tmp_path: Path
) -> None:
    (tmp_path / "uses.py").write_text(USES)
    (tmp_path / "wrong.py").write_text("from lastword import end_cal\n")
    options = ("--strict", "--config-file=", "--python-executable", str(installed.project.python))
    ran = subprocess.run(  # noqa: S603 - our own mypy
        [sys.executable, "-m", "mypy", *options, "uses.py", "wrong.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    found = ran.stdout.splitlines()
    assert found[0].startswith('wrong.py:1: error: Module "lastword" has no attribute "end_cal"')
    assert found[1:] == ["Found 1 error in 1 file (checked 2 source files)"]
