"""A worker's log at DEBUG: nothing of what its libraries carry, and what a call holds is marked."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from langgraph_sdk import get_client
from livekit.agents import JobRequest
from livekit.agents.cli.log import setup_logging
from livekit.agents.job import JobAcceptArguments
from livekit.agents.llm import ChatContext, ChatMessage
from livekit.agents.telemetry.pii import is_pii_attribute
from livekit.protocol.agent import Job
from livekit.protocol.models import Room

from lastword.bridge import GraphLLM
from lastword.events import LOGGER_NAME
from lastword.memory.graph_memory import open_memory
from lastword.memory.memory_url import read_memory_url
from lastword.settings import Settings
from lastword.signals import CallPolicy, CallState, end_call
from lastword.worker import answer, make_worker
from tests import PROJECT_ROOT
from tests.fakes.loopback import served
from tests.fakes.phone import phone_call

WORDS = "my-number-is-555-0199"
NUMBER = "5550199"


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

    async def reply(_: web.Request) -> web.Response:
        return web.json_response({}, headers={"Set-Cookie": f"session={WORDS}"})

    app = web.Application()
    app.router.add_get("/threads/{name}", reply)
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


def noting_graph() -> Pregel[Any, Any, Any, Any]:
    """Answers with the caller's number, and puts it into everything that its ending holds."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(CallState)

    async def note(state: CallState) -> dict[str, Any]:
        if "bye" in state["messages"][-1].text:
            end_call(f"called_from_{NUMBER}", {"number": NUMBER, "notes": [NUMBER]})
        return {"messages": [AIMessage(f"I have noted {NUMBER}.")]}

    builder.add_node("note", note)
    builder.add_edge(START, "note")
    return builder.compile()


async def a_call() -> None:
    """A caller says and presses their number, and it is everywhere in the call."""
    policy = CallPolicy(first_speaker="caller", tail=0)
    async with phone_call(noting_graph(), policy, caller=f"sip_+49{NUMBER}") as phone:
        await phone.say(f"My number is {NUMBER}.")
        for key in f"{NUMBER}#":
            phone.call.keypad.press(key)
        await phone.events.until("graph_told")
        await phone.events.until("agent_said", times=2)
        await phone.say(f"{NUMBER}, bye")
        assert NUMBER in (await phone.running).reason


async def a_refused_call() -> None:
    """A call is dispatched with a number where the graph's name belongs."""

    async def reject(_: bool) -> None:
        pass

    async def accept(_: JobAcceptArguments) -> None:
        raise AssertionError("it cannot be taken")

    job = Job(room=Room(name="a-call"), metadata=json.dumps({"graph": f"graph-{NUMBER}"}))
    request = JobRequest(job=job, on_reject=reject, on_accept=accept)
    await answer(request, known=["reception"], config=PROJECT_ROOT / "langgraph.json")


async def an_ending_without_a_tool() -> None:
    """A worker of one's own has the graph in its session, and not Lastword's hang-up."""
    messages = ChatContext([ChatMessage(role="user", content=[f"{NUMBER}, bye"])])
    async with GraphLLM(noting_graph()) as graph_llm:
        await graph_llm.chat(chat_ctx=messages).collect()


def unmarked(record: logging.LogRecord) -> str:
    """All that a record holds outside of the fields that are marked as personal."""
    fields = {name: value for name, value in record.__dict__.items() if not is_pii_attribute(name)}
    return f"{record.getMessage()} {fields}"


@pytest.mark.usefixtures("_worker_at_debug")
@pytest.mark.parametrize("use", [a_call, a_refused_call, an_ending_without_a_tool])
def test_what_a_call_holds_is_in_the_log_in_marked_fields_only(
    use: Callable[[], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        await use()

    asyncio.run(run())
    holding = [record for record in caplog.records if NUMBER in f"{record.__dict__}"]
    assert holding, "it is in the log"
    assert [unmarked(record) for record in holding if NUMBER in unmarked(record)] == []


@pytest.mark.usefixtures("_worker_at_debug")
def test_a_call_has_all_that_is_personal_in_its_events(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(a_call())
    names = {
        record.__dict__["event"]
        for record in caplog.records
        if record.name == LOGGER_NAME and NUMBER in f"{record.__dict__}"
    }
    said = {"caller_joined", "caller_said", "agent_said", "graph_told"}
    assert names == {*said, "ending", "hanging_up", "call_ended"}
