"""A graph in the seat of a LiveKit LLM.

``graph_llm`` is the adapter, ``graph_run`` one run of the graph. ``history`` translates between
the chat history and the graph's input, ``endings`` recognises that the graph is done with the
call, ``speech`` decides what is spoken: plain functions, without a clock, a loop or a network.
"""

from agent.bridge.graph_llm import GraphLLM

__all__ = ["GraphLLM"]
