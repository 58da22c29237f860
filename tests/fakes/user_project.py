"""A user's project with packages ``agent`` and ``graphs`` and its own virtual environment."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lastword.settings import environment_without_keys, inherited_environment
from tests import PROJECT_ROOT
from tests.fakes.forked_pytest import Ran

Kind = Literal["wheel", "editable"]

PYPROJECT = """
[project]
name = "front-desk"
version = "1.0"
requires-python = ">=3.11"

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
packages = ["agent", "graphs"]
"""
GRAPH = '''
"""A front desk that notes a name, and hangs up."""

from typing import Any, Literal

from agent.words import GOODBYE
from langchain_core.messages import AIMessage
from langgraph.graph import START, StateGraph

from lastword import CallPolicy, CallState


def route(state: CallState) -> Literal["greet", "end"]:
    return "end" if any(one.type == "human" for one in state["messages"]) else "greet"


def greet(state: CallState) -> dict[str, Any]:
    return {"messages": [AIMessage("Hello, this is the front desk. What is your name?")]}


def end(state: CallState) -> dict[str, Any]:
    return {"messages": [AIMessage(GOODBYE)], "ending": {"reason": "noted"}}


builder = StateGraph(CallState)
builder.add_node(greet)
builder.add_node(end)
builder.add_conditional_edges(START, route)
graph = builder.compile()
call_policy = CallPolicy(tail=0.3)
'''
CONVERSATION = """clock: 2026-11-21 09:00
turns:
  - agent: "Hello ..."
  - caller: My name is Anna.
  - agent: "... Goodbye!"
ended: {ended_by: graph, reason: noted}
"""
WITHOUT_CLOCK = CONVERSATION.partition("\n")[2]
TEST = '''
"""The project's own tests, with its own packages."""

from agent.words import GOODBYE
from lastword.testing import Conversations


async def test_a_name_is_noted(lastword_conversation: Conversations) -> None:
    async with lastword_conversation("desk") as call:
        await call.says("My name is Anna.")
        call.expect_says(GOODBYE)
        call.expect_ended(reason="noted", once=True)
'''
CASE = (
    '{"id": "one", "category": "name", "language": "en", "label": "end", "history": '
    '[{"role": "agent", "text": "What is your name?"}, {"role": "user", "text": "Anna."}]}\n'
)
FILES = {
    "pyproject.toml": PYPROJECT,
    "langgraph.json": '{"graphs": {"desk": "graphs.desk:graph"}}',
    "cases.jsonl": CASE,
    "agent/__init__.py": '"""The project\'s own package."""\n',
    "agent/words.py": 'GOODBYE = "Thank you for calling. Goodbye!"\n',
    "graphs/__init__.py": '"""The project\'s own package."""\n',
    "graphs/desk.py": GRAPH,
    "pytest.ini": "[pytest]\nasyncio_mode = auto\n",
    "tests/conversations/noted.yaml": CONVERSATION,
    "tests/conversations/without_clock.yaml": WITHOUT_CLOCK,
    "tests/test_desk.py": TEST,
}


_ENVIRONMENT = {
    "COLUMNS": "200",
    "PYTHONDONTWRITEBYTECODE": "",  # installed packages are compiled once, as with pip
}


@dataclass(frozen=True)
class UserProject:
    """The folder of a project, with its environment in ``.venv``."""

    folder: Path

    @property
    def packages(self) -> Path:
        """The environment's site-packages folder."""
        [found] = (self.folder / ".venv" / "lib").glob("python*/site-packages")
        return found

    def install(self, *requirements: str, exact: bool = False) -> None:
        """Install packages in the versions of this repository's lock file.

        ``exact``: uninstall all packages that they do not need.
        """
        constraints = self.folder.parent / "constraints.txt"
        if not constraints.exists():
            export = ("export", "--locked", "--no-dev", "--all-extras", "--no-emit-project")
            uv(*export, "--no-hashes", "-o", constraints, folder=PROJECT_ROOT)
        also = ["--exact"] if exact else []
        uv("pip", "install", "-p", self.python, "-c", constraints, *also, *requirements)

    def uninstall(self, *names: str) -> None:
        """Uninstall packages."""
        uv("pip", "uninstall", "-p", self.python, *names)

    def run(self, command: str, *arguments: str, typed: str = "", **environment: str) -> Ran:
        """Run a command of the environment in the project's folder, without API keys.

        Args:
            command: a file in the environment's ``bin``.
            arguments: of the command.
            typed: its standard input.
            environment: additional environment variables.
        """
        done = subprocess.run(  # noqa: S603 - a command of our own
            [self.folder / ".venv" / "bin" / command, *arguments],
            cwd=self.folder,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            env=environment_without_keys() | _ENVIRONMENT | environment,
        )
        return Ran(done.returncode, done.stdout + done.stderr)

    @property
    def python(self) -> Path:
        """The environment's Python interpreter."""
        return self.folder / ".venv" / "bin" / "python"


def uv(*arguments: str | Path, folder: Path | None = None) -> None:
    """Run uv with this machine's settings for index and cache."""
    done = subprocess.run(  # noqa: S603 - our own uv
        [sys.executable, "-m", "uv", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=inherited_environment() | {"UV_LINK_MODE": "hardlink"},
    )
    assert done.returncode == 0, done.stderr


def build_wheel(folder: Path) -> Path:
    """Build Lastword's wheel into ``folder``."""
    uv("build", "--wheel", "-o", folder, folder=PROJECT_ROOT)
    [wheel] = folder.glob("*.whl")
    return wheel


def user_project(folder: Path) -> UserProject:
    """Write the project into a new folder, with an empty environment."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    uv("venv", "-p", sys.executable, folder / ".venv")
    return UserProject(folder)


def lastword_from(wheel: Path, extras: str = "", kind: Kind = "wheel") -> list[str]:
    """Return the arguments to install Lastword, from its wheel or editable from this repository.

    ``extras`` as in a requirement: ``"[offline,testing]"``.
    """
    if kind == "editable":
        return ["-e", f"{PROJECT_ROOT}{extras}"]
    return [f"lastword{extras} @ {wheel.as_uri()}"]
