"""What SECURITY.md shows works, and what it points to is there."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import jwt
import psycopg
import pytest
import time_machine
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from livekit import api
from livekit.protocol.agent import Job
from livekit.protocol.agent_worker import WorkerInfo
from livekit.protocol.models import Room
from psycopg.conninfo import conninfo_to_dict

from lastword.dispatch import read_dispatch
from lastword.memory.graph_memory import open_memory, prepare_memory
from lastword.memory.memory_url import read_memory_url
from lastword.room.keypad import BURST, KEYS_PER_SECOND, MOST_KEYS
from lastword.settings import Settings
from lastword.worker import thread_of
from tests import PROJECT_ROOT
from tests.fakes.postgres import LocalPostgres

PAGE = (PROJECT_ROOT / "SECURITY.md").read_text()
KEY, SECRET = "APItest", "a secret of at least thirty-two characters"
VERIFIER = api.TokenVerifier(KEY, SECRET, leeway=timedelta())


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def python_block(number: int) -> ModuleType:
    module = ModuleType("example")
    exec(compile(blocks("python")[number], "SECURITY.md", "exec"), module.__dict__)  # noqa: S102 - our own page
    return module


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> api.access_token.Claims:
    """What the page's ticket says."""
    monkeypatch.setenv("LIVEKIT_API_KEY", KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    return VERIFIER.verify(python_block(0).ticket())


def test_the_ticket_grants_a_microphone_and_ears_in_one_room_and_nothing_else(
    claims: api.access_token.Claims,
) -> None:
    assert claims.video is not None
    assert claims.video == api.VideoGrants(
        room_join=True,
        room=claims.video.room,
        can_publish_sources=["microphone"],
        can_publish_data=False,
    )
    assert claims.sip in (None, api.SIPGrants())


def test_the_ticket_brings_the_agent_to_the_caller_it_is_for(
    claims: api.access_token.Claims,
) -> None:
    assert claims.room_config is not None
    [dispatch] = claims.room_config.agents
    assert dispatch.agent_name == Settings.model_fields["agent_name"].default
    read = read_dispatch(dispatch.metadata)
    assert (read.graph, read.direction) == ("reception", "browser")
    assert read.metadata["participant_identity"] == claims.identity


def test_two_callers_get_rooms_that_cannot_be_guessed(claims: api.access_token.Claims) -> None:
    another = VERIFIER.verify(python_block(0).ticket())
    rooms = {one.video.room for one in (claims, another) if one.video is not None}
    assert len(rooms) == 2
    assert all(len(room) >= len("call-") + 22 for room in rooms)  # 128 bits in base64


def test_the_ticket_is_of_no_use_some_minutes_later(claims: api.access_token.Claims) -> None:
    ticket = python_block(0).ticket()
    VERIFIER.verify(ticket)
    with (
        time_machine.travel(datetime.now(UTC) + timedelta(minutes=6)),
        pytest.raises(jwt.ExpiredSignatureError),
    ):
        VERIFIER.verify(ticket)


def graph_of_words() -> StateGraph[MessagesState, None, MessagesState, MessagesState]:
    builder = StateGraph(MessagesState)
    builder.add_node("talk", lambda _: {"messages": [AIMessage("Noted.")]})
    builder.add_edge(START, "talk")
    return builder


async def test_an_erased_call_is_gone_from_the_memory_and_the_others_are_not(
    tmp_path: Path,
) -> None:
    file = tmp_path / "memory.sqlite3"
    url = f"sqlite:///{file}"
    place = read_memory_url(url)
    await prepare_memory(place)
    async with open_memory(place) as memory:
        graph = graph_of_words().compile(checkpointer=memory)
        for thread, words in (("call-a/AJ_1", "I am Rumpelstilz."), ("call-b/AJ_2", "Ada here.")):
            await graph.ainvoke(
                {"messages": [HumanMessage(words)]}, {"configurable": {"thread_id": thread}}
            )
    await python_block(1).erase(url, "call-a/AJ_1")
    with pytest.raises(LookupError, match="no thread 'call-c/AJ_3'"):
        await python_block(1).erase(url, "call-c/AJ_3")
    with closing(sqlite3.connect(file)) as database:
        left = {
            row
            for table in ("checkpoints", "writes")
            for row in database.execute(f"SELECT DISTINCT thread_id FROM {table}")  # noqa: S608 - ours
        }
        database.execute("VACUUM")
    assert left == {("call-b/AJ_2",)}
    content = file.read_bytes()
    assert b"Rumpelstilz" not in content
    assert b"Ada here." in content


async def test_the_memorys_user_of_the_page_has_the_rights_that_a_worker_needs_and_no_more(
    postgres: LocalPostgres,
) -> None:
    [sql] = blocks("sql")
    with psycopg.connect(postgres.url(), autocommit=True) as administrator:
        for statement in sql.replace("lastword", "page_user").split(";\n"):
            administrator.execute(statement.encode())
        rights = administrator.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = 'page_user'"
        ).fetchall()
    assert rights == [(False, False, False)]
    server = conninfo_to_dict(postgres.url())
    url = f"postgresql://page_user:choose%20one@{server['host']}:{server['port']}/page_user_memory"
    await prepare_memory(read_memory_url(url))
    async with open_memory(read_memory_url(url)) as memory:
        graph = graph_of_words().compile(checkpointer=memory)
        await graph.ainvoke(
            {"messages": [HumanMessage("Hi")]}, {"configurable": {"thread_id": "1"}}
        )
        await memory.adelete_thread("1")


def test_the_page_says_all_that_the_health_check_tells() -> None:
    said = PAGE.partition("`GET /worker`")[2].partition("Neither names")[0]
    assert set(re.findall(r"`(\w+)`", said)) == set(WorkerInfo.DESCRIPTOR.fields_by_name)


def test_every_link_leads_to_a_file_and_a_heading_that_is_there() -> None:
    for file, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", PAGE):
        target = PROJECT_ROOT / (file or "SECURITY.md")
        assert target.exists(), file
        headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE) if anchor else []
        slugs = [re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings]
        assert anchor in (*slugs, ""), (file, anchor)


def test_the_pages_numbers_are_those_of_the_code() -> None:
    settings = Settings.model_fields
    assert f"{BURST} at once, then {KEYS_PER_SECOND:g} per second, {MOST_KEYS} per call" in PAGE
    assert f"**Health check**: `{settings['health_host'].default}:" in PAGE
    for name in ("job_memory_warn_mb", "job_memory_limit_mb", "job_stall_seconds"):
        assert f"| `LASTWORD_{name.upper()}` | {settings[name].default:g} |" in PAGE


def test_a_thread_is_named_as_the_page_says() -> None:
    job = Job(id="AJ_1", room=Room(name="call-xyz", sid="RM_1"))
    assert thread_of(job) == "call-xyz/AJ_1"
    assert "`<room name>/<job id>`" in PAGE
