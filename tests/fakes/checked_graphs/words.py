"""Graphs whose end token is an ordinary word."""

from __future__ import annotations

from langgraph.graph import START

from lastword.signals import CallPolicy
from tests.fakes.checked_graphs.ways import builder, talk

call_policy = CallPolicy(end_token="end", end_node=None)

in_words_builder = builder()
in_words_builder.add_node("talk", talk)
in_words_builder.add_edge(START, "talk")
in_words = in_words_builder.compile()
