"""Graphs with models that are asked for something that is not for the caller's ears."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, RemoveMessage
from langchain_core.output_parsers import JsonOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langgraph.constants import TAG_NOSTREAM
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command

from lastword.signals import CallPolicy, end_call
from tests.fakes.checked_graphs.models import (
    Meant,
    by_tool,
    chat,
    formerly_silent,
    in_json,
    make_chat,
    silent,
)
from tests.fakes.checked_graphs.ways import Update, builder, goodbye, not_run

Node = Callable[..., Any]


async def route(state: MessagesState) -> Command[Literal["end", "__end__"]]:
    not_run()
    label = await chat.ainvoke(state["messages"])
    return Command(goto="end" if "bye" in label.text else "__end__")


async def route_silently(state: MessagesState) -> Command[Literal["end", "__end__"]]:
    not_run()
    label = await silent.ainvoke(state["messages"])
    return Command(goto="end" if "bye" in label.text else "__end__")


async def route_silently_once(state: MessagesState) -> Command[Literal["end", "__end__"]]:
    not_run()
    label = await chat.ainvoke(state["messages"], config={"tags": [TAG_NOSTREAM]})
    return Command(goto="end" if "bye" in label.text else "__end__")


async def route_with_old_tag(state: MessagesState) -> Command[Literal["end", "__end__"]]:
    not_run()
    label = await formerly_silent.ainvoke(state["messages"])
    return Command(goto="end" if "bye" in label.text else "__end__")


async def route_by_tool(state: MessagesState) -> Command[Literal["end", "__end__"]]:
    not_run()
    meant = await by_tool.ainvoke(state["messages"])
    return Command(goto="end" if isinstance(meant, Meant) else "__end__")


async def route_in_json(state: MessagesState) -> Command[Literal["end", "__end__"]]:
    not_run()
    reply = await in_json.ainvoke(state["messages"])
    return Command(goto="end", update={"messages": [reply]})


async def route_by_chain(state: MessagesState) -> Command[Literal["end", "__end__"]]:
    not_run()
    chain = ChatPromptTemplate.from_messages(["Answer in JSON."]) | make_chat() | JsonOutputParser()
    meant = await chain.ainvoke({})
    return Command(goto="end", update={"messages": [AIMessage(str(meant))]})


async def says_yes_or_no(state: MessagesState) -> Update:
    not_run()
    agrees = "yes" in (await chat.ainvoke(state["messages"])).text
    return {"messages": [AIMessage("Fine." if agrees else "What a pity.")]}


async def asked_elsewhere(state: MessagesState) -> Update:
    not_run()
    return {"messages": [await until_it_works(one_request, state)]}


async def one_request(state: MessagesState) -> Any:
    return await chat.ainvoke(state["messages"])


async def until_it_works(request: Node, state: MessagesState) -> Any:
    return await request(state)


async def told_in_silence(state: MessagesState) -> Update:
    not_run()
    return {"messages": [await silent.ainvoke([("system", "Write <end>."), *state["messages"]])]}


async def summarise(state: MessagesState) -> Update:
    not_run()
    reply = await chat.ainvoke(state["messages"])
    old = [RemoveMessage(id=str(one.id)) for one in state["messages"][:-2]]
    return {"summary": reply.text, "messages": old}


async def rewrite_and_answer(state: MessagesState) -> Update:
    not_run()
    question = await chat.ainvoke(state["messages"])
    return {"messages": [await chat.ainvoke([question])]}


async def ask(model: BaseChatModel, state: MessagesState) -> str:
    return (await model.ainvoke(state["messages"])).text


async def answer_through_helper(state: MessagesState, *, model: BaseChatModel) -> Update:
    not_run()
    words = await ask(model, state)
    update: Update = {}
    update["messages"] = [AIMessage(words)]
    return update


async def is_bye(state: MessagesState) -> bool:
    return "bye" in (await chat.ainvoke(state["messages"])).text


async def route_through_helper(state: MessagesState) -> Command[Literal["end", "__end__"]]:
    not_run()
    return Command(goto="end" if await is_bye(state) else "__end__")


async def answer_streaming(state: MessagesState) -> Update:
    not_run()
    words = ""
    async for chunk in chat.astream(state["messages"]):
        words += chunk.text
    return {"messages": [AIMessage(words)]}


class Desk:
    """A node that is an object."""

    def __init__(self, model: BaseChatModel) -> None:
        self.model = model

    async def __call__(self, state: MessagesState) -> Update:
        not_run()
        await self.model.ainvoke(state["messages"])
        return {}


def one_node(node: Node) -> Any:
    """A graph with ``node`` and the node ``end``."""
    made: StateGraph[Any, Any, Any, Any] = builder()
    made.add_node("node", node)
    made.add_node("end", goodbye)
    made.add_edge(START, "node")
    made.add_edge("node", "end")
    return made.compile()


heard = one_node(route)
silent_by_tag = one_node(route_silently)
silent_once = one_node(route_silently_once)
old_tag = one_node(route_with_old_tag)
forced_tool = one_node(route_by_tool)
json_mode = one_node(route_in_json)
json_chain = one_node(route_by_chain)
summary = one_node(summarise)
rewritten = one_node(rewrite_and_answer)
helped = one_node(partial(answer_through_helper, model=chat))
helped_router = one_node(route_through_helper)
yes_or_no = one_node(says_yes_or_no)
elsewhere = one_node(asked_elsewhere)
streamed = one_node(answer_streaming)
an_object = one_node(Desk(chat))


async def by_model(state: MessagesState) -> Literal["end", "__end__"]:
    not_run()
    return "end" if "bye" in (await chat.ainvoke(state["messages"])).text else "__end__"


edge_builder = builder()
edge_builder.add_node("talk", answer_streaming)
edge_builder.add_node("end", goodbye)
edge_builder.add_edge(START, "talk")
edge_builder.add_conditional_edges("talk", by_model)
asking_edge = edge_builder.compile()

first_edge_builder = builder()
first_edge_builder.add_node("end", goodbye)
first_edge_builder.add_conditional_edges(START, by_model)
asking_first_edge = first_edge_builder.compile()


async def label(state: MessagesState) -> str:
    not_run()
    return str((await chat.ainvoke(state["messages"])).text)


label_builder = builder()
label_builder.add_node("end", goodbye)
label_builder.add_conditional_edges(START, label, {"bye": "end", "more": END})
label_edge = label_builder.compile()

silent_token_builder = builder()
silent_token_builder.add_node("talk", told_in_silence)
silent_token_builder.add_edge(START, "talk")
silent_token = silent_token_builder.compile()


@tool
def look_up() -> str:
    """Ask another model, which nobody hears."""
    not_run()
    chat.invoke("Is it so?")
    return "yes"


@tool
def hang_up() -> str:
    """End the call."""
    not_run()
    end_call("done")
    return "The call ends."


async def with_tools(state: MessagesState) -> Update:
    not_run()
    return {"messages": [await chat.bind_tools([hang_up]).ainvoke(state["messages"])]}


tools_builder = builder()
tools_builder.add_node("talk", with_tools)
tools_builder.add_node("tools", ToolNode([hang_up, look_up]))
tools_builder.add_edge(START, "talk")
tools_builder.add_conditional_edges("talk", tools_condition)
tools_builder.add_edge("tools", "talk")
by_tool_node = tools_builder.compile()

tools_forgotten_builder = builder()
tools_forgotten_builder.add_node("talk", with_tools)
tools_forgotten_builder.add_edge(START, "talk")
tools_forgotten = tools_forgotten_builder.compile()

BY_NAME = {one.name: one for one in [hang_up]}


async def run_tools(state: MessagesState) -> Update:
    not_run()
    return {"messages": [BY_NAME["hang_up"].invoke({})]}


own_tools_builder = builder()
own_tools_builder.add_node("tools", run_tools)
own_tools_builder.add_edge(START, "tools")
own_tools = own_tools_builder.compile()

agent = create_agent(chat, tools=[hang_up])
agent_by_token = create_agent(chat, system_prompt="Say goodbye, then write <end>.")
agent_inside_builder = builder()
agent_inside_builder.add_node("desk", create_agent(chat, system_prompt="Be kind."))
agent_inside_builder.add_edge(START, "desk")
agent_inside = agent_inside_builder.compile()

call_policy = CallPolicy()
