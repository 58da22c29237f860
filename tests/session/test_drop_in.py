"""What worked with upstream's LLMAdapter works the same with GraphLLM in its place."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from langgraph.runtime import Runtime
from livekit.agents import Agent, AgentSession, llm
from livekit.plugins import langchain
from typing_extensions import TypedDict

from lastword.bridge import GraphLLM
from tests.fakes.scripted_graph import ScriptedModel

Adapter = type[langchain.LLMAdapter[Any]]
ADAPTERS = pytest.mark.parametrize("adapter", [langchain.LLMAdapter, GraphLLM])


class Shop(TypedDict):
    """A runtime context."""

    name: str


def one_node(node: Any, **options: Any) -> Pregel[Any, Any, Any, Any]:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState, **options)
    builder.add_node("talk", node)
    builder.add_edge(START, "talk")
    return builder.compile()


async def spoken(graph_llm: llm.LLM[Any], *lines: str) -> list[str]:
    """What a plain session with a plain agent says to ``lines``."""
    async with AgentSession[None](llm=graph_llm) as session:
        await session.start(Agent(instructions=""))
        for words in lines:
            await session.run(user_input=words)
        return [
            item.text_content or ""
            for item in session.history.items
            if isinstance(item, llm.ChatMessage) and item.role == "assistant"
        ]


@ADAPTERS
async def test_the_config_reaches_the_nodes(adapter: Adapter) -> None:
    async def talk(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
        return {"messages": [AIMessage(f"{config['configurable']['desk']} {config['tags']}")]}

    config: RunnableConfig = {"configurable": {"desk": "front"}, "tags": ["night"]}
    assert await spoken(adapter(one_node(talk), config=config), "Hi.") == ["front ['night']"]


@ADAPTERS
async def test_the_context_reaches_the_nodes(adapter: Adapter) -> None:
    async def talk(state: MessagesState, runtime: Runtime[Shop]) -> dict[str, Any]:
        return {"messages": [AIMessage(runtime.context["name"])]}

    graph = one_node(talk, context_schema=Shop)
    assert await spoken(adapter(graph, context={"name": "Chez Nous"}), "Hi.") == ["Chez Nous"]


@ADAPTERS
@pytest.mark.parametrize("mode", ["custom", ["custom"]])
async def test_custom_events_are_spoken_where_they_are_asked_for(
    adapter: Adapter, mode: Any
) -> None:
    async def talk(state: MessagesState) -> dict[str, Any]:
        get_stream_writer()("One.")
        get_stream_writer()({"content": " Two."})
        get_stream_writer()({"progress": 7})
        return {"messages": [AIMessage("Not in this mode.")]}

    assert await spoken(adapter(one_node(talk), stream_mode=mode), "Hi.") == ["One. Two."]


@ADAPTERS
async def test_messages_and_custom_events_are_spoken_together(adapter: Adapter) -> None:
    async def talk(state: MessagesState) -> dict[str, Any]:
        get_stream_writer()("One. ")
        return {"messages": [await ScriptedModel(answers=[["Two."]]).ainvoke("x")]}

    graph_llm = adapter(one_node(talk), stream_mode=["messages", "custom"])
    assert await spoken(graph_llm, "Hi.") == ["One. Two."]


@ADAPTERS
@pytest.mark.parametrize("subgraphs", [False, True])
async def test_subgraphs_are_spoken_streamed_or_whole(adapter: Adapter, subgraphs: bool) -> None:
    async def inner(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await ScriptedModel(answers=[["From ", "inside."]]).ainvoke("x")]}

    graph_llm = adapter(one_node(one_node(inner)), subgraphs=subgraphs)
    assert await spoken(graph_llm, "Hi.") == ["From inside."]


@ADAPTERS
async def test_other_stream_modes_are_refused(adapter: Adapter) -> None:
    with pytest.raises(ValueError, match="Unsupported stream mode"):
        adapter(one_node(one_node), stream_mode="values")


@ADAPTERS
async def test_without_a_checkpointer_the_conversation_is_remembered(adapter: Adapter) -> None:
    model = ScriptedModel(answers=[["One."], ["Two."]])

    async def talk(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    assert await spoken(adapter(one_node(talk)), "Hi.", "And?") == ["One.", "Two."]
    assert [message.text for message in model.calls[-1]] == ["Hi.", "One.", "And?"]


async def test_what_is_no_compiled_graph_is_refused_with_its_name() -> None:
    builder: Any = StateGraph(MessagesState)
    with pytest.raises(TypeError, match="GraphLLM needs a compiled graph .* not <.*StateGraph"):
        GraphLLM(builder)
