"""The front desk: a model with tools; the tool ``end_call`` ends the call."""

from __future__ import annotations

from langchain_core.language_models import BaseChatModel
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from graphs.call_events import hurry, in_words, still_there
from graphs.chat_models import chat_model
from graphs.reception import nodes
from graphs.reception.rules import RULES
from graphs.reception.state import ReceptionState
from graphs.reception.tools import TOOLS
from graphs.store import PracticeContext
from lastword.signals import CallPolicy


def build(
    model: BaseChatModel,
) -> StateGraph[ReceptionState, PracticeContext, ReceptionState, ReceptionState]:
    """Build the graph around ``model``."""
    builder = StateGraph(ReceptionState, context_schema=PracticeContext)
    builder.add_node("desk", nodes.front_desk(model))
    builder.add_node("tools", ToolNode(TOOLS))
    builder.add_node("still_there", still_there)
    builder.add_node("hurry", hurry)
    builder.add_node("in_words", in_words)
    builder.add_node("voicemail", nodes.voicemail)
    builder.add_conditional_edges(START, nodes.begin)
    builder.add_conditional_edges("desk", tools_condition)
    builder.add_conditional_edges("tools", nodes.after_tools)
    return builder


graph = build(chat_model(RULES)).compile(name="reception")
call_policy = CallPolicy(end_node=None, end_token=None)
