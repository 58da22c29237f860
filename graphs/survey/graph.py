"""The survey: one model, one tool, and an end token after the goodbye."""

from __future__ import annotations

from langchain_core.language_models import BaseChatModel
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from graphs.call_events import hurry, in_words, still_there
from graphs.chat_models import chat_model
from graphs.store import PracticeContext
from graphs.survey import nodes
from graphs.survey.rules import RULES
from graphs.survey.state import SurveyState
from graphs.survey.tools import TOOLS
from lastword.signals import CallPolicy


def build(
    model: BaseChatModel,
) -> StateGraph[SurveyState, PracticeContext, SurveyState, SurveyState]:
    """Build the graph around ``model``."""
    builder = StateGraph(SurveyState, context_schema=PracticeContext)
    builder.add_node("interview", nodes.interviewer(model))
    builder.add_node("tools", ToolNode(TOOLS))
    builder.add_node("still_there", still_there)
    builder.add_node("hurry", hurry)
    builder.add_node("in_words", in_words)
    builder.add_node("pressed", nodes.pressed)
    builder.add_node("voicemail", nodes.voicemail)
    builder.add_conditional_edges(START, nodes.begin)
    builder.add_conditional_edges("interview", tools_condition)
    builder.add_edge("tools", "interview")
    builder.add_edge("pressed", "interview")
    return builder


graph = build(chat_model(RULES)).compile(name="survey")
call_policy = CallPolicy(end_node=None)
