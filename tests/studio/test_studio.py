"""The same graphs, by the same names, run in LangGraph's own server (Studio's back end)."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from agent.rehearsal.parts import running_part
from agent.rehearsal.script import find_script, read_script
from agent.settings import PROJECT_ROOT, inherited_environment
from graphs.call_signals import END_TOKEN, is_end_call

OPENING: dict[str, Any] = {"messages": [], "event": {"kind": "opening"}, "ending": None}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def langgraph_dev(folder: Path) -> AsyncIterator[LangGraphClient]:
    """Run ``langgraph dev`` on the repository's graphs; its own files go into ``folder``."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload"),
        *("--port", str(port), "--config", str(PROJECT_ROOT / "langgraph.json")),
    ]
    env = inherited_environment() | {
        "LASTWORD_STORE": str(folder / "store.sqlite3"),
        "LASTWORD_PROVIDERS": "offline",
        "LANGSMITH_TRACING": "false",
    }
    async with running_part("langgraph dev", command, env=env) as server:
        lines = server.lines()
        async for line in lines:
            if "Application started up" in line:
                break
        else:
            raise server.failed("did not start")
        async with (
            asyncio.TaskGroup() as tasks,
            get_client(url=f"http://127.0.0.1:{port}") as client,
        ):
            draining = tasks.create_task(_drain(lines))
            yield client
            draining.cancel()


async def _drain(lines: AsyncIterator[str]) -> None:
    async for _ in lines:
        pass


async def turn(client: LangGraphClient, thread: str, graph: str, given: Any) -> list[Any]:
    """Run one turn; returns the custom events of its stream."""
    return [
        part.data
        async for part in client.runs.stream(
            thread, graph, input=given, stream_mode=["custom", "updates"]
        )
        if part.event == "custom"
    ]


def ended(values: dict[str, Any], events: list[Any]) -> bool:
    """Recognise an ending as the bridge does: by node channel, signal, or token."""
    return (
        bool(values.get("ending"))
        or any(is_end_call(event) for event in events)
        or END_TOKEN in str(values["messages"][-1]["content"])
    )


@pytest.mark.timeout(180)
async def test_p12_each_graph_holds_its_conversation_to_the_end_in_langgraph_dev(
    tmp_path: Path,
) -> None:
    async with langgraph_dev(tmp_path) as client:
        for graph in ("appointment", "reception", "survey"):
            script = read_script(find_script(None, graph))
            thread = (await client.threads.create())["thread_id"]
            given: list[Any] = [OPENING]
            given += [
                {"messages": [{"role": "human", "content": words}], "event": None, "ending": None}
                for words in script.lines
            ]
            over = []
            for turn_input in given:
                events = await turn(client, thread, graph, turn_input)
                state = await client.threads.get_state(thread)
                values = state["values"]
                assert isinstance(values, dict)
                over.append(ended(values, events))
            assert over == [False] * (len(given) - 1) + [True], graph
