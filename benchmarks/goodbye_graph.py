"""Graphs for short calls: a greeting, then a goodbye after the caller's first words.

The metadata of the call gives the words of the goodbye and the delay of the model's first token.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langgraph.graph import END, START, StateGraph
from langgraph.pregel import Pregel
from langgraph.runtime import Runtime

from benchmarks.goodbyes import GREETING, goodbye
from lastword.signals import END_TOKEN, CallContext, CallState

Update = dict[str, Any]


class GoodbyeModel(BaseChatModel):
    """Streams the goodbye of its call, then ``last``."""

    metadata_of_call: Mapping[str, Any]
    last: str = ""

    @property
    def _llm_type(self) -> str:
        return "goodbye"

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        async for word in goodbye(self.metadata_of_call):
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
        if self.last:
            yield ChatGenerationChunk(message=AIMessageChunk(content=self.last))

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError("GoodbyeModel only streams: call ainvoke or astream")


async def greet(state: CallState) -> Update:  # noqa: ARG001 - LangGraph passes it
    """Open the call."""
    return {"messages": [AIMessage(GREETING)]}


async def talk(state: CallState, runtime: Runtime[CallContext]) -> Update:
    """Say goodbye; the end token in the model's stream ends the call."""
    model = GoodbyeModel(metadata_of_call=runtime.context["metadata"], last=END_TOKEN)
    return {"messages": [await model.ainvoke(state["messages"])]}


async def end(state: CallState, runtime: Runtime[CallContext]) -> Update:
    """Say goodbye; this node's name ends the call."""
    model = GoodbyeModel(metadata_of_call=runtime.context["metadata"])
    return {"messages": [await model.ainvoke(state["messages"])]}


def _begin(state: CallState) -> Literal["greet", "answer"]:
    return "answer" if state["messages"] else "greet"


def _graph(name: str, answer: Any) -> Pregel[Any, Any, Any, Any]:
    """A graph with the node ``greet``, and a node with the name of the function ``answer``."""
    builder = StateGraph(CallState, context_schema=CallContext)
    builder.add_node("greet", greet)
    builder.add_edge("greet", END)
    builder.add_node(answer.__name__, answer)
    builder.add_edge(answer.__name__, END)
    builder.add_conditional_edges(START, _begin, {"greet": "greet", "answer": answer.__name__})
    return builder.compile(name=name)


end_node = _graph("end-node", end)
end_token = _graph("end-token", talk)
