"""Graphs as their authors write them, who never saw this project: LangChain's agents and others."""

from __future__ import annotations

import asyncio
import operator
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.messages import AIMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from langgraph.runtime import Runtime
from langgraph.types import Command
from livekit.agents.voice.run_result import RunResult
from pydantic import BaseModel
from typing_extensions import TypedDict

from lastword.hangup.call_end import CallEnd
from lastword.signals import CallContext, CallPolicy, end_call, say, turn_certain
from tests.fakes.phone import phone_call
from tests.fakes.scripted_graph import AgentModel, ScriptedModel

Graph = Pregel[Any, Any, Any, Any]
CALLER = CallPolicy(first_speaker="caller", tail=0)


def one_node(node: Any, state: Any = MessagesState, **options: Any) -> Graph:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(state, **options)
    builder.add_node("talk", node)
    builder.add_edge(START, "talk")
    return builder.compile()


def called(name: str, text: str = "") -> AIMessage:
    return AIMessage(text, tool_calls=[ToolCall(name=name, args={}, id=f"call-{name}")])


async def test_p6_a_model_inside_a_tool_is_not_spoken() -> None:
    judge = ScriptedModel(answers=[["relevance", " 0.3"]])

    @tool
    async def look_up() -> str:
        """Look something up."""
        return (await judge.ainvoke("x")).text

    model = AgentModel(messages=[called("look_up"), AIMessage("We open at nine.")])
    async with phone_call(create_agent(model, [look_up])) as phone:
        await phone.say("When do you open?")
        assert phone.spoken() == ["We open at nine."]


async def test_p6_a_tool_that_answers_directly_is_spoken() -> None:
    @tool(return_direct=True)
    async def hours() -> str:
        """Opening hours."""
        return "We open at nine."

    async with phone_call(create_agent(AgentModel(messages=[called("hours")]), [hours])) as phone:
        await phone.say("When do you open?")
        assert phone.spoken() == ["We open at nine."]


async def test_p6_a_message_that_a_tool_writes_for_the_caller_is_spoken() -> None:
    @tool
    async def hang_up(runtime: ToolRuntime[CallContext, Any]) -> Command[Any]:
        """Say goodbye."""
        end_call("done")
        answer = ToolMessage("The call ends.", tool_call_id=runtime.tool_call_id or "")
        return Command(update={"messages": [answer, AIMessage("Goodbye then.")]})

    model = AgentModel(messages=[called("hang_up"), AIMessage("Bye.")])
    async with phone_call(create_agent(model, [hang_up])) as phone:
        await phone.say("That is all.")
        assert await phone.running == CallEnd("graph", "done")
        assert phone.spoken() == ["Goodbye then. Bye."]


async def test_p2_a_graph_that_a_tool_runs_ends_no_call() -> None:
    async def nothing(state: MessagesState) -> dict[str, Any]:
        return {}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("end", nothing)
    builder.add_edge(START, "end")
    inner = builder.compile()

    @tool
    async def ask_inside() -> str:
        """Ask another graph."""
        await inner.ainvoke({"messages": [HumanMessage("x")]})
        return "nine"

    answers = [called("ask_inside", "One moment."), AIMessage("At nine. Anything else?")]
    async with phone_call(create_agent(AgentModel(messages=answers), [ask_inside])) as phone:
        await phone.say("When do you open?")
        assert phone.spoken() == ["One moment. At nine. Anything else?"]
        assert "ending" not in phone.events.names


async def test_p5_the_tools_of_an_agent_in_a_node_are_not_run_again_after_a_cut() -> None:
    booked: list[str] = []
    waits, reached = asyncio.Event(), asyncio.Event()

    @tool
    async def book() -> str:
        """Book."""
        await turn_certain()
        booked.append("Monday")
        return "booked"

    class SlowModel(AgentModel):
        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            if booked and not waits.is_set():
                reached.set()
                await waits.wait()
            return await super()._agenerate(*args, **kwargs)

    model = SlowModel(messages=[called("book"), AIMessage("It is booked.")])
    async with phone_call(one_node(create_agent(model, [book]))) as phone:
        turn: RunResult[Any] = phone.session.run(user_input="Book Monday.")
        await reached.wait()
        await phone.session.interrupt(force=True)
        await turn
        waits.set()
        await phone.say("Hello?")
        assert phone.spoken() == ["It is booked."]
    assert booked == ["Monday"]


class Notes(MessagesState):
    """Collects notes."""

    notes: Annotated[list[str], operator.add]


async def test_p5_tools_that_write_more_than_messages_are_kept_after_a_cut() -> None:
    reached, waits = asyncio.Event(), asyncio.Event()

    async def quick(state: Notes) -> list[Command[Any]]:
        return [Command(update={"notes": [note]}) for note in ("first", "second")]

    async def slow(state: Notes) -> dict[str, Any]:
        reached.set()
        await waits.wait()
        return {"messages": [AIMessage("Done.")]}

    seen: list[Any] = []

    async def listen(state: Notes) -> dict[str, Any]:
        seen.append(state.get("notes"))
        return {}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Notes)
    for node in (listen, quick, slow):
        builder.add_node(node.__name__, node)
    builder.add_edge(START, "listen")
    builder.add_edge("listen", "slow")
    builder.add_conditional_edges("listen", lambda state: [] if state.get("notes") else ["quick"])
    async with phone_call(builder.compile(), CALLER) as phone:
        turn: RunResult[Any] = phone.session.run(user_input="Note it.")
        await reached.wait()
        await phone.session.interrupt(force=True)
        await turn
        waits.set()
        await phone.say("And?")
        assert phone.spoken() == ["Done."]
    assert seen[-1] == ["first", "second"]


@dataclass
class Shop:
    """A context as LangGraph's own pages write it."""

    call_id: str
    customer: str = "nobody"


class Store(BaseModel):
    """The same for pydantic."""

    call_id: str
    customer: str = "nobody"


@pytest.mark.parametrize("schema", [Shop, Store])
async def test_a_graphs_own_context_type_gets_what_it_has_fields_for(schema: Any) -> None:
    async def talk(state: MessagesState, runtime: Runtime[Any]) -> dict[str, Any]:
        return {"messages": [AIMessage(f"{runtime.context.call_id} {runtime.context.customer}")]}

    async with phone_call(one_node(talk, context_schema=schema), CALLER) as phone:
        await phone.say("Hi.")
        assert phone.spoken() == ["call-under-test nobody"]


@pytest.mark.parametrize("written", [{"role": "assistant", "content": "Hello."}, ("ai", "Hello.")])
async def test_p6_messages_as_dictionaries_and_pairs_are_spoken(written: Any) -> None:
    async def talk(state: MessagesState) -> dict[str, Any]:
        return {"messages": [written]}

    async with phone_call(one_node(talk), CALLER) as phone:
        await phone.say("Hi.")
        assert phone.spoken() == ["Hello."]


class Rows(TypedDict):
    """A conversation as another library writes it."""

    messages: list[dict[str, str]]


async def test_p6_of_a_whole_conversation_as_dictionaries_only_the_new_words_are_spoken() -> None:
    async def talk(state: Rows) -> dict[str, Any]:
        said = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "Old."}]
        new = [{"role": "user", "content": "y"}, {"role": "assistant", "content": "New."}]
        return {"messages": [*said, *new]}

    async with phone_call(one_node(talk, Rows), CALLER) as phone:
        await phone.say("Hi.")
        assert phone.spoken() == ["New."]


async def test_p6_another_projects_messages_are_no_failure() -> None:
    async def talk(state: Rows) -> dict[str, Any]:
        say("Hello.")
        return {"messages": [{"subject": "none"}]}

    async with phone_call(one_node(talk, Rows), CALLER) as phone:
        await phone.say("Hi.")
        assert phone.spoken() == ["Hello."]


async def test_p6_what_a_nostream_model_says_is_not_spoken_even_if_its_node_returns_it() -> None:
    model = ScriptedModel(answers=[["secret"]]).with_config(tags=["nostream"])

    async def talk(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke("x"), AIMessage("Hello.")]}

    async with phone_call(one_node(talk), CALLER) as phone:
        await phone.say("Hi.")
        assert phone.spoken() == ["Hello."]


@pytest.mark.parametrize(
    ("policy", "spoken"),
    [
        (CallPolicy(first_speaker="caller", silent_nodes=frozenset({"router"})), "Hello."),
        (CallPolicy(first_speaker="caller", spoken_nodes=frozenset({"talk"})), "Hello."),
        (CALLER, "billing Hello."),
    ],
)
async def test_p6_a_policy_names_nodes_that_are_agents(policy: CallPolicy, spoken: str) -> None:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("router", create_agent(AgentModel(messages=[AIMessage("billing")]), []))
    builder.add_node("talk", create_agent(AgentModel(messages=[AIMessage("Hello.")]), []))
    builder.add_edge(START, "router")
    builder.add_edge("router", "talk")
    async with phone_call(builder.compile(), policy) as phone:
        await phone.say("Hi.")
        assert phone.spoken() == [spoken]


async def test_p5_a_state_that_does_not_add_messages_is_told_all_of_them() -> None:
    class Plain(MessagesState):
        messages: list[Any]

    seen: list[list[str]] = []

    async def talk(state: Plain) -> dict[str, Any]:
        seen.append([message.text for message in state["messages"]])
        return {"messages": [*state["messages"], AIMessage(f"Answer {len(seen)}.")]}

    async with phone_call(one_node(talk, Plain), CALLER) as phone:
        for words in ("One.", "Two."):
            await phone.say(words)
        assert phone.spoken() == ["Answer 1.", "Answer 2."]
    assert seen[-1] == ["One.", "Answer 1.", "Two."]


async def test_p3_a_cancelled_ending_of_a_subgraph_keeps_what_the_subgraph_did() -> None:
    booked: list[int] = []

    async def book(state: MessagesState) -> dict[str, Any]:
        if not any(message.text == "Booked." for message in state["messages"]):
            booked.append(1)
        return {"messages": [AIMessage("Booked.")]}

    async def end(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("Goodbye, and good luck.")]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("book", book)
    builder.add_node("end", end)
    builder.add_edge(START, "book")
    builder.add_edge("book", "end")
    async with phone_call(one_node(builder.compile()), CALLER) as phone:
        await phone.break_in("Book it.", "Booked. Goodbye,")
        await phone.events.until("ending_cancelled")
        await phone.say("Wait.")
        assert await phone.running == CallEnd("graph", "completed")
    assert booked == [1]


async def test_a_graph_compiled_as_a_subgraph_is_called_all_the_same() -> None:
    async def talk(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("Hello.")]}

    graph = one_node(talk).copy({"checkpointer": True})
    async with phone_call(graph, CALLER) as phone:
        await phone.say("Hi.")
        assert phone.spoken() == ["Hello."]
