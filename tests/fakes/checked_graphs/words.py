"""Graphs whose end token is an ordinary word."""

from __future__ import annotations

from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState

from lastword.signals import CallPolicy
from tests.fakes.checked_graphs.models import chat
from tests.fakes.checked_graphs.ways import Update, builder, not_run

HOURS = "We are open on the weekend too."
INSTRUCTIONS = 'Answer the caller. When all is said, write "end".'
call_policy = CallPolicy(end_token="end", end_node=None)


async def says_hours(state: MessagesState) -> Update:
    not_run()
    return {"messages": [AIMessage(HOURS)]}


async def told_to_end(state: MessagesState) -> Update:
    not_run()
    return {"messages": [await chat.ainvoke([("system", INSTRUCTIONS), *state["messages"]])]}


in_words_builder = builder()
in_words_builder.add_node("hours", says_hours)
in_words_builder.add_edge(START, "hours")
in_words = in_words_builder.compile()

as_told_builder = builder()
as_told_builder.add_node("talk", told_to_end)
as_told_builder.add_edge(START, "talk")
as_told = as_told_builder.compile()
