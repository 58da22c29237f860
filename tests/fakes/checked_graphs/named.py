"""Graphs whose policy names nodes."""

from __future__ import annotations

from langgraph.graph import START

from lastword.signals import CallPolicy
from tests.fakes.checked_graphs.ways import builder, goodbye, talk, write_down

call_policy = CallPolicy(end_node="hang_up", silent_nodes=frozenset({"write_down"}))

works_on_builder = builder()
works_on_builder.add_node("hang_up", goodbye)
works_on_builder.add_node("write_down", write_down)
works_on_builder.add_edge(START, "hang_up")
works_on_builder.add_edge("hang_up", "write_down")
works_on = works_on_builder.compile()

no_such_nodes_builder = builder()
no_such_nodes_builder.add_node("talk", talk)
no_such_nodes_builder.add_edge(START, "talk")
no_such_nodes = no_such_nodes_builder.compile()
