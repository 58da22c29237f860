"""A small project with conversations, like that of a user of the pytest plugin."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lastword.settings import inherited_environment
from tests.fakes.forked_pytest import Ran, run_pytest

GRAPH = '''
"""A shop that sells one thing."""
from typing import Any, Literal

from langchain_core.messages import AIMessage
from langgraph.graph import MessagesState, StateGraph
from langgraph.runtime import Runtime


def route(state: MessagesState) -> Literal["greet", "sell", "end"]:
    said = [message.text.lower() for message in state["messages"] if message.type == "human"]
    return "greet" if not said else "end" if "bye" in said[-1] else "sell"


def greet(state: MessagesState, runtime: Runtime) -> dict[str, Any]:
    shop = (runtime.context or {}).get("shop", "the shop")
    return {"messages": [AIMessage(f"Hello, this is {shop}.")]}


def sell(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage("That is five euros.")]}


def end(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage("Thank you. Goodbye!")]}


builder = StateGraph(MessagesState)
builder.add_node(greet)
builder.add_node(sell)
builder.add_node(end)
builder.add_conditional_edges("__start__", route)
graph = builder.compile()
'''
BUYS = """title: Somebody buys
marks: till
turns:
  - agent: "Hello ..."
  - caller: I want an apple.
  - agent: That is five euros.
    nodes: sell
  - caller: Goodbye.
  - agent: "... goodbye"
ended: {ended_by: graph, reason: completed, source: node}
"""
LEAVES = """turns:
  - agent: "Hello ..."
  - hangs_up: true
    over: hello
ended: {ended_by: caller}
"""
CHEAP = BUYS.replace("five", "two").replace("Somebody buys", "An apple is cheap")


@dataclass(frozen=True)
class Project:
    """A folder with a graph and conversations."""

    folder: Path

    def write(self, **conversations: str) -> None:
        """Write conversation files, name → content."""
        for name, text in conversations.items():
            path = self.folder / "tests" / "conversations" / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def pytest(self, *arguments: str) -> Ran:
        """Run pytest as a developer of the project does."""
        return run_pytest(self.folder, "-p", "no:randomly", *arguments, sources=[self.folder])


def command(folder: Path, *arguments: str) -> Ran:
    """Run this Python interpreter with ``arguments`` in ``folder``."""
    done = subprocess.run(  # noqa: S603 - runs this Python
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=inherited_environment() | {"COLUMNS": "100"},
    )
    return Ran(done.returncode, done.stdout + done.stderr)


def shop_project(folder: Path) -> Project:
    """Create the project in ``folder``."""
    (folder / "shop.py").write_text(GRAPH)
    (folder / "langgraph.json").write_text('{"graphs": {"shop": "shop:graph"}}')
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    till: at the till\n")
    return Project(folder)
