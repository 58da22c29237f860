"""A graph that says goodbye to "bye" through its end node, and answers everything else."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.pregel import Pregel


def polite_graph(seen: list[list[str]]) -> Pregel[Any, Any, Any, Any]:
    """Return the graph; ``seen`` collects its messages of each turn."""

    async def listen(state: MessagesState) -> dict[str, Any]:
        seen.append([f"{m.type}: {m.text}" for m in state["messages"]])
        return {}

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("Of course.")]}

    async def end(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("Goodbye, and have a nice day.")]}

    def route(state: MessagesState) -> str:
        last = state["messages"][-1]
        assert isinstance(last, HumanMessage)
        return "end" if "bye" in last.text else "answer"

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("listen", listen)
    builder.add_node("answer", answer)
    builder.add_node("end", end)
    builder.add_edge(START, "listen")
    builder.add_conditional_edges("listen", route, ["answer", "end"])
    builder.add_edge("answer", END)
    builder.add_edge("end", END)
    return builder.compile()
