"""A graph behind a URL speaks, remembers, asks and ends like one in this process (P2-P6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from langgraph.pregel import Pregel
from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk import get_client
from livekit.agents.llm import ChatContext, ChatMessage

from lastword.bridge import GraphLLM
from lastword.errors import GraphServerError
from lastword.graphs_config import check_server, load_graph
from lastword.hangup.call_end import CallEnd
from lastword.signals import CallPolicy
from tests.fakes import served_graphs
from tests.fakes.langgraph_server import LangGraphServer, free_port, langgraph_dev
from tests.fakes.phone import Phone
from tests.fakes.phone import phone_call as call_by_name
from tests.studio.conftest import SERVED

pytestmark = pytest.mark.asyncio(loop_scope="session")
"""The loop that reads what the server writes must run, or the server waits for a reader."""

CALLER_FIRST = CallPolicy(first_speaker="caller", tail=0)
AGENT_FIRST = CallPolicy(first_speaker="agent", tail=0)
HASTY = CallPolicy(first_speaker="caller", tail=0, turn_timeout=3)

Graph = Pregel[Any, Any, Any, Any] | RemoteGraph


def phone_call(graph: Graph, policy: CallPolicy) -> AbstractAsyncContextManager[Phone]:
    """A call with a name of its own: a server keeps the threads of all calls."""
    return call_by_name(graph, policy, call_id=f"call-{uuid4().hex}")


@pytest.fixture(params=["here", "behind a URL"])
def place(request: pytest.FixtureRequest) -> str:
    where: str = request.param
    return where


@asynccontextmanager
async def remote(name: str, url: str) -> AsyncIterator[RemoteGraph]:
    """A graph behind ``url``; its connections are closed at the end."""
    async with get_client(url=url) as client:
        yield RemoteGraph(name, client=client)


@pytest_asyncio.fixture(loop_scope="session")
async def answers(place: str, langgraph_server: LangGraphServer) -> AsyncIterator[Graph]:
    if place == "here":
        yield served_graphs.answers
        return
    async with remote("answers", langgraph_server.url) as graph:
        yield graph


@pytest_asyncio.fixture(loop_scope="session")
async def plain(place: str, langgraph_server: LangGraphServer) -> AsyncIterator[Graph]:
    if place == "here":
        yield served_graphs.plain
        return
    async with remote("plain", langgraph_server.url) as graph:
        yield graph


async def test_p5_words_are_streamed_and_remembered(answers: Graph) -> None:
    async with phone_call(answers, CALLER_FIRST) as phone:
        for words in ("one", "two", "recall"):
            await phone.say(words)
        assert phone.spoken() == [
            "You said one.",
            "You said two.",
            "You told me: one / You said one. / two / You said two.",
        ]


@pytest.mark.parametrize(
    ("words", "spoken", "end"),
    [
        ("node", "Goodbye then.", CallEnd("graph", "by_node", {"row": 7})),
        ("inner", "Goodbye then.", CallEnd("graph", "by_node", {"row": 7})),
        ("token", "Goodbye.", CallEnd("graph", "completed")),
        ("signal booked", "One moment. Goodbye.", CallEnd("graph", "booked", {"seats": [1, 2]})),
    ],
)
async def test_p2_every_kind_of_ending_ends_the_call(
    answers: Graph, words: str, spoken: str, end: CallEnd
) -> None:
    async with phone_call(answers, CALLER_FIRST) as phone:
        await phone.say(words)
        assert await phone.running == end
        assert phone.spoken() == [spoken]
        assert phone.line.removals == 1


async def test_p2_an_end_node_in_a_fan_out_ends_the_call_once(answers: Graph) -> None:
    async with phone_call(answers, CALLER_FIRST) as phone:
        await phone.say("both")
        assert await phone.running == CallEnd("graph", "by_node", {"row": 7})
        assert sorted(" ".join(phone.spoken()).replace("..", ".").split(". ")) == [
            "Goodbye then",
            "You said both.",
        ]
        assert phone.events.names.count("ending") == 1


async def test_p2_the_opening_reaches_the_event_channel(answers: Graph) -> None:
    async with phone_call(answers, AGENT_FIRST) as phone:
        assert phone.spoken() == ["Opened by {'kind': 'opening'}."]


async def test_p2_a_graph_without_the_event_channel_is_told_of_the_opening_in_a_message(
    plain: Graph,
) -> None:
    async with phone_call(plain, AGENT_FIRST) as phone:
        assert phone.spoken() == ["system message."]


async def test_p6_structured_output_is_not_spoken(answers: Graph) -> None:
    async with phone_call(answers, CALLER_FIRST) as phone:
        await phone.say("json")
        assert phone.spoken() == ["Booked."]


async def test_p5_two_questions_are_asked_and_answered(answers: Graph) -> None:
    async with phone_call(answers, CALLER_FIRST) as phone:
        for words in ("ask", "big", "red"):
            await phone.say(words)
        assert phone.spoken() == ["Which size?", "Which colour?", "A big one in red."]


async def test_p5_the_operator_can_answer(answers: Graph) -> None:
    async with phone_call(answers, CALLER_FIRST) as phone:
        await phone.say("ask")
        assert isinstance(phone.session.llm, GraphLLM)
        await (await phone.session.llm.answer("big"))
        await phone.say("red")
        assert phone.spoken() == ["Which size?", "Which colour?", "A big one in red."]


async def test_p5_an_interrupted_answer_is_cut_to_what_was_heard(answers: Graph) -> None:
    async with phone_call(answers, CALLER_FIRST) as phone:
        await phone.break_in("one", "You sa")
        await phone.say("recall")
        assert phone.spoken() == ["You sa", "You told me: one / You sa"]


async def test_p3_an_interrupted_farewell_goes_back_to_before_the_end_node(
    answers: Graph,
) -> None:
    async with phone_call(answers, CALLER_FIRST) as phone:
        await phone.break_in("node", "Goodbye")
        await phone.events.until("ending_cancelled")
        await phone.say("recall")
        assert phone.spoken() == ["Goodbye", "You told me: node / Goodbye"]
        assert phone.line.tries == 0


@pytest.mark.parametrize(
    ("words", "spoken"),
    [("fail", [HASTY.apology]), ("hang", [f"One moment. {HASTY.apology}"])],
)
async def test_p11_a_graph_that_fails_or_hangs_is_apologised_for_and_the_call_goes_on(
    answers: Graph, words: str, spoken: list[str]
) -> None:
    async with phone_call(answers, HASTY) as phone:
        await phone.say(words)
        assert phone.spoken() == spoken
        await phone.say("one")
        assert phone.spoken()[1:] == ["You said one."]


async def test_p11_a_server_that_is_not_there_ends_the_call_by_error() -> None:
    policy = CallPolicy(first_speaker="caller", tail=0, turn_timeout=2, max_failures=2)
    nowhere = f"http://127.0.0.1:{free_port()}"
    async with remote("answers", nowhere) as graph, phone_call(graph, policy) as phone:
        await phone.say("one")
        await phone.say("two")
        assert await phone.running == CallEnd("error", "graph_failed")
        assert phone.spoken() == [policy.apology, policy.failure_farewell]


@pytest.mark.timeout(120)
async def test_p11_a_server_that_is_killed_in_mid_answer_is_apologised_for(
    tmp_path: Path,
) -> None:
    policy = CallPolicy(turn_timeout=5)
    said: list[str] = []
    async with (
        langgraph_dev(SERVED, tmp_path) as server,
        remote("answers", server.url) as graph,
    ):
        graph_llm = GraphLLM(graph, policy=policy)
        history = ChatContext([ChatMessage(role="user", content=["hang"])])
        async with asyncio.timeout(policy.turn_timeout + 3):
            async for chunk in graph_llm.chat(chat_ctx=history):
                if chunk.delta and chunk.delta.content:
                    said.append(chunk.delta.content)
                    if len(said) == 1:
                        server.kill()
    assert "".join(said) == f"One moment. {policy.apology}"


async def test_the_worker_takes_the_policy_from_here_and_the_graph_from_there(
    langgraph_server: LangGraphServer,
) -> None:
    call_graph = load_graph("answers", SERVED, langgraph_server.url)
    assert call_graph.policy == served_graphs.call_policy
    graph = call_graph.graph
    assert isinstance(graph, RemoteGraph)
    assert graph.client is not None
    async with graph.client, phone_call(graph, call_graph.policy) as phone:
        await phone.say("one")
        assert phone.spoken() == ["You said one."]


async def test_a_server_that_lacks_a_graph_is_refused(langgraph_server: LangGraphServer) -> None:
    await asyncio.to_thread(check_server, langgraph_server.url, ["answers", "plain"])
    with pytest.raises(GraphServerError, match="does not serve 'survey': check LASTWORD_GRAPH_URL"):
        await asyncio.to_thread(check_server, langgraph_server.url, ["answers", "survey"])
