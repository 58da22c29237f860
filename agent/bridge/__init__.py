"""A graph in the seat of a LiveKit LLM.

``graph_llm`` is the adapter; ``history`` translates between the chat history and the graph's
input; ``endings`` recognises that the graph is done with the call; ``speech`` decides which of
the graph's output is spoken. The last three are plain functions of a stream item.
"""

from agent.bridge.graph_llm import GraphLLM

__all__ = ["GraphLLM"]
