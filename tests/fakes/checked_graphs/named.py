"""Graphs whose policy names nodes."""

from __future__ import annotations

from langgraph.graph import START

from lastword.signals import CallPolicy
from tests.fakes.checked_graphs.ways import builder, goodbye, talk

other_end_builder = builder()
other_end_builder.add_node("hang_up", goodbye)
other_end_builder.add_edge(START, "hang_up")
other_end = other_end_builder.compile()

no_such_nodes_builder = builder()
no_such_nodes_builder.add_node("talk", talk)
no_such_nodes_builder.add_node("bye", goodbye)
no_such_nodes_builder.add_edge(START, "talk")
no_such_nodes = no_such_nodes_builder.compile()

call_policy = CallPolicy(end_node="hang_up", silent_nodes=frozenset({"rooter"}))
