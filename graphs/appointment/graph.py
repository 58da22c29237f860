"""The reminder call: ask for the customer, remind, and confirm, reschedule or cancel.

It needs memory between turns. Without a checkpointer it greets again in every turn.
"""

from __future__ import annotations

from langchain_core.language_models import BaseChatModel
from langgraph.graph import END, START, StateGraph

from graphs.appointment import nodes
from graphs.appointment.rules import RULES
from graphs.appointment.state import AppointmentState
from graphs.chat_models import chat_model
from graphs.store import PracticeContext
from lastword.signals import END_NODE, CallPolicy


def build(
    model: BaseChatModel,
) -> StateGraph[AppointmentState, PracticeContext, AppointmentState, AppointmentState]:
    """Build the graph; ``model`` classifies the caller's answers."""
    builder = StateGraph(AppointmentState, context_schema=PracticeContext)
    builder.add_conditional_edges(START, nodes.begin)
    builder.add_node("greet", nodes.greet)
    builder.add_node("understand", nodes.understanding(model))
    for say in (
        nodes.still_there,
        nodes.hurry,
        nodes.in_words,
        nodes.remind,
        nodes.repeat,
        nodes.explain,
        nodes.hold,
        nodes.ask_again,
        nodes.offer,
        nodes.read_back_slot,
        nodes.read_back_cancellation,
    ):
        builder.add_node(say.__name__, say)
        builder.add_edge(say.__name__, END)
    builder.add_node("pick", nodes.pick)
    builder.add_node("book", nodes.book)
    for decide in (nodes.confirm, nodes.cancel, nodes.misdial, nodes.give_up, nodes.voicemail):
        builder.add_node(decide.__name__, decide)
        builder.add_edge(decide.__name__, END_NODE)
    builder.add_node(END_NODE, nodes.end)
    builder.add_edge(END_NODE, END)
    return builder


graph = build(chat_model(RULES)).compile(name="appointment")
call_policy = CallPolicy(silent_nodes=frozenset({"understand"}), end_token=None)
