"""The graph of one call, in the seat of its LLM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.pregel import Pregel

from lastword.bridge.graph_llm import GraphLLM
from lastword.dispatch import Dispatch, fitting
from lastword.graphs_config import CallGraph
from lastword.memory.memory_types import remembering
from lastword.signals import CallContext


def call_llm(
    call_id: str,
    graph: CallGraph,
    dispatch: Dispatch,
    memory: BaseCheckpointSaver[Any] | None = None,
    observers: Sequence[BaseCallbackHandler] = (),
    more_context: Mapping[str, Any] | None = None,
    *,
    thread: str | None = None,
) -> GraphLLM:
    """Put a call's graph into the seat of its LLM.

    Args:
        call_id: the call's name.
        graph: the graph and its policy.
        dispatch: the metadata the call was dispatched with.
        memory: where the graph remembers the call, unless it was compiled with its own; default: in
            this process.
        observers: are told what the graph does.
        more_context: keys of the graph's own context.
        thread: LangGraph's thread; default: the call's name.
    """
    context = CallContext(
        call_id=call_id, direction=dispatch.direction, metadata=dict(dispatch.metadata)
    )
    runs = graph.graph
    if isinstance(runs, Pregel) and runs.checkpointer in (None, True):
        runs = remembering(runs, memory, graph.policy.state_types)
    config = RunnableConfig(
        configurable={"thread_id": thread or call_id}, callbacks=list(observers)
    )
    schema = getattr(runs, "context_schema", None)
    return GraphLLM(
        runs,
        policy=graph.policy,
        config=config,
        context=fitting({**context, **(more_context or {})}, schema),
    )
