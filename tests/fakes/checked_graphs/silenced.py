"""Graphs with findings that comments silence."""

from __future__ import annotations

from langchain.agents import create_agent
from langgraph.graph import START, MessagesState

from tests.fakes.checked_graphs.models import chat
from tests.fakes.checked_graphs.ways import Update, builder, goodbye, not_run


async def label(state: MessagesState) -> Update:  # lastword: ignore[may-be-spoken]
    not_run()
    await chat.ainvoke(state["messages"])
    return {}


by_comment_builder = builder()
by_comment_builder.add_node("label", label)
by_comment_builder.add_node("lost", goodbye)  # lastword: ignore[unreachable-node, no-ending]
by_comment_builder.add_node("end", goodbye)
by_comment_builder.add_edge(START, "label")
by_comment_builder.add_edge("label", "end")
by_comment = by_comment_builder.compile()

an_agent = create_agent(chat.bind(response_format={"type": "json_object"}))  # type: ignore[call-overload]
agent_heard_builder = builder()
agent_heard_builder.add_node("desk", an_agent)
agent_heard_builder.add_node("hang_up", goodbye)
agent_heard_builder.add_node("end", goodbye)
agent_heard_builder.add_edge(START, "desk")
agent_heard_builder.add_edge("desk", "hang_up")
agent_heard_builder.add_edge("hang_up", "end")
agent_heard = agent_heard_builder.compile()
