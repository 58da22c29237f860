"""Runs a LangGraph graph as the LLM of a LiveKit agent session.

How a turn goes: LiveKit asks the ``adapter`` for an answer. The adapter starts a ``run`` on the
call's ``thread``. The run reads the chat history as a ``turn``, streams the graph, and passes on
what the ``answer`` says of each item of the stream.

- ``adapter``: ``GraphLLM``, LiveKit's view of the graph, and how a call makes one.
- ``run``: one run of the graph, as LiveKit's stream of an LLM's answer.
- ``thread``: the conversation of one call: certain turns, newest pointers, claimed questions, runs
  that go on in the background.
- ``bound_graph``: a graph and its memory of one call; ``LocalGraph`` runs it in this process.
- ``server_graph``: ``ServerGraph`` runs it on a LangGraph server.
- ``chat_items``: what the bridge keeps in LiveKit's chat history: run pointers, operator answers,
  call events.
- ``turn``: the chat history read as the graph's next input, and the graph's messages corrected to
  what was heard.
- ``answer``: what a run says and decides, read from the graph's stream.
- ``spoken``: which of the graph's output is spoken, as one stream of words.
- ``utterance``: one message on its way to the caller: JSON is held back, a retry's repetition
  dropped.
- ``endings``: how an ending is recognised, and LiveKit's tool call that carries it.
- ``questions``: LangGraph's interrupts as questions to the caller, and the answers.
- ``observation``: models, tokens and failures of a run, and its nodes as trace spans.

``turn`` to ``questions`` decide in plain functions, without a clock, a loop or a network.
"""

from lastword.bridge.adapter import GraphLLM

__all__ = ["GraphLLM"]
