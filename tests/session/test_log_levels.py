"""A worker's log at DEBUG holds nothing of what its libraries carry."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from langchain_core.messages import HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph_sdk import get_client
from livekit.agents.cli.log import setup_logging

from lastword.memory.graph_memory import open_memory
from lastword.memory.memory_url import read_memory_url
from lastword.settings import Settings
from lastword.worker import make_worker
from tests import PROJECT_ROOT
from tests.fakes.loopback import served

WORDS = "my-number-is-555-0199"


@pytest.fixture
def _worker_at_debug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker has been made, and LiveKit has set up its log as for ``worker dev``."""
    monkeypatch.chdir(PROJECT_ROOT)
    root = logging.getLogger()
    names = [*logging.Logger.manager.loggerDict, None]
    levels = {name: logging.getLogger(name).level for name in names}
    handlers = list(root.handlers)
    make_worker(
        Settings(
            _env_file=None,
            livekit_url="ws://127.0.0.1:1",
            livekit_api_key="key",
            livekit_api_secret="secret",
            providers="offline",
            graph_memory=read_memory_url(f"sqlite:///{tmp_path}/memory.sqlite3"),
        )
    )
    setup_logging("DEBUG", devmode=True, console=False)
    yield
    root.handlers[:] = handlers
    for name in [*logging.Logger.manager.loggerDict, None]:
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))


async def a_memory(folder: Path) -> None:
    """A graph keeps what a caller said in SQLite."""
    builder = StateGraph(MessagesState)
    builder.add_node("listen", lambda _: {})
    builder.add_edge(START, "listen")
    async with open_memory(read_memory_url(f"sqlite:///{folder}/memory.sqlite3")) as memory:
        graph = builder.compile(checkpointer=memory)
        said = MessagesState(messages=[HumanMessage(WORDS)])
        await graph.ainvoke(said, {"configurable": {"thread_id": f"call-{WORDS}"}})


async def a_graph_server(_: Path) -> None:
    """A graph behind a URL is asked for a call named like its caller."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({}, headers={"Set-Cookie": f"session={WORDS}"})

    app = web.Application()
    app.router.add_get("/threads/{name}", answer)
    async with served(app) as url, get_client(url=url) as client:
        await client.threads.get(WORDS)


@pytest.mark.usefixtures("_worker_at_debug")
@pytest.mark.parametrize("use", [a_memory, a_graph_server])
def test_nothing_of_a_call_is_in_the_log_at_debug(
    use: Callable[[Path], Awaitable[None]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        await use(tmp_path)

    asyncio.run(run())
    logging.getLogger("a.graph").debug("graphs may log at DEBUG")
    assert "graphs may log at DEBUG" in caplog.text
    assert WORDS not in caplog.text
