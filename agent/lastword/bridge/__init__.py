"""A graph in the seat of a LiveKit LLM.

``graph_llm`` is the adapter, ``graph_run`` one run of the graph on its ``thread``. Everything that
is decided is decided in plain functions, without a clock, a loop or a network: ``history`` reads
the chat as the graph's next turn, ``answer`` reads the graph's stream with ``endings``, ``speech``
and ``questions``.
"""

from lastword.bridge.graph_llm import GraphLLM

__all__ = ["GraphLLM"]
