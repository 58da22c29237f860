"""A graph module whose policy has the wrong type."""

from tests.fakes.sample_graphs import graph

__all__ = ["call_policy", "graph"]

call_policy = {"tail": 1.5}
