"""Small graphs, each with one kind of edge; ``TRAIL`` has the nodes in the order they ran."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from langchain.agents import create_agent
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolCall
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, RetryPolicy, Send, interrupt
from typing_extensions import TypedDict

Graph = CompiledStateGraph[Any, Any, Any, Any]
Builder = StateGraph[Any, Any, Any, Any]


class Trail(TypedDict):
    """The names of the nodes that ran, and the words that choose the edge."""

    trail: Annotated[list[str], operator.add]
    way: str


def node(name: str) -> Any:
    """Return a node that appends its name to the trail."""

    async def run(state: Trail) -> dict[str, Any]:
        return {"trail": [name]}

    return run


def builder(*names: str) -> Builder:
    made: Builder = StateGraph(Trail)
    for name in names:
        made.add_node(name, node(name))
    return made


def to_left_or_right(state: Trail) -> Literal["left", "right"]:
    return "left" if state["way"] == "left" else "right"


def declared_router() -> Graph:
    made = builder("left", "right")
    made.add_conditional_edges(START, to_left_or_right)
    made.add_edge("left", END)
    made.add_edge("right", END)
    return made.compile()


def mapped_router() -> Graph:
    def rating(state: Trail) -> str:
        return state["way"]

    made = builder("ask", "praise", "excuse")
    made.add_edge(START, "ask")
    made.add_conditional_edges(
        "ask", rating, {"good": "praise", "bad": "excuse", "awful": "excuse", "none": END}
    )
    return made.compile()


def undeclared_router() -> Graph:
    def anywhere(state: Trail) -> str:
        return state["way"]

    made = builder("ask", "left", "right")
    made.add_edge(START, "ask")
    made.add_conditional_edges("ask", anywhere)
    made.add_edge("left", END)
    made.add_edge("right", END)
    return made.compile()


def fan_out() -> Graph:
    def spread(state: Trail) -> list[Send]:
        return [Send("work", {"way": each}) for each in state["way"].split()]

    made = builder("plan", "work", "sum")
    made.add_edge(START, "plan")
    made.add_conditional_edges("plan", spread, ["work"])
    made.add_edge("work", "sum")
    return made.compile()


def join() -> Graph:
    """``both`` waits for ``short`` and for the end of the longer branch."""
    made = builder("short", "long", "longer", "both")
    made.add_edge(START, "short")
    made.add_edge(START, "long")
    made.add_edge("long", "longer")
    made.add_edge(["short", "longer"], "both")
    return made.compile()


def deferred() -> Graph:
    made = builder("short", "long", "longer")
    made.add_node("last", node("last"), defer=True)
    made.add_edge(START, "short")
    made.add_edge(START, "long")
    made.add_edge("long", "longer")
    made.add_edge("short", "last")
    made.add_edge("longer", "last")
    return made.compile()


def commands() -> Graph:
    """``decide`` declares its destinations; ``stray`` goes to ``left`` without declaring it."""

    async def decide(state: Trail) -> Command[Literal["left", "stray", "__end__"]]:
        match state["way"]:
            case "left" | "stray" as way:
                return Command(goto=way)
            case "silent":
                return Command(update={"trail": ["decide"]})
            case _:
                return Command(goto="__end__")

    async def stray(state: Trail) -> Any:
        return [{"trail": ["stray"]}, Command(goto="left")]

    made = builder("left")
    made.add_node("decide", decide)
    made.add_node("stray", stray)
    made.add_edge(START, "decide")
    return made.compile()


def side_by_side() -> Graph:
    """Two nodes in one step have an edge to ``next``; only ``goes`` takes it."""

    def goes(state: Trail) -> Literal["next", "__end__"]:
        return "next"

    made = builder("goer", "stayer", "next")
    made.add_edge(START, "goer")
    made.add_edge(START, "stayer")
    made.add_conditional_edges("goer", goes)
    made.add_conditional_edges("stayer", lambda _: END, ["next", END])
    return made.compile()


def subgraph() -> Graph:
    inner = builder("first", "second", "never")
    inner.add_edge(START, "first")
    inner.add_conditional_edges("first", lambda _: "second", ["second", "never"])
    outer = builder("after")
    outer.add_node("outer", inner.compile())
    outer.add_edge(START, "outer")
    outer.add_edge("outer", "after")
    return outer.compile()


def to_parent() -> Graph:
    """The node of the subgraph sends the outer graph to ``after``."""

    async def leave(state: Trail) -> Any:
        return Command(goto="after", graph=Command.PARENT)

    inner: Builder = StateGraph(Trail)
    inner.add_node("leave", leave)
    inner.add_edge(START, "leave")
    outer = builder("after")
    outer.add_node("outer", inner.compile(), destinations=("after",))
    outer.add_edge(START, "outer")
    return outer.compile()


def question() -> Graph:
    """``ask`` waits for a human while ``beside`` runs in the same step."""

    async def ask(state: Trail) -> dict[str, Any]:
        return {"trail": [str(interrupt("really?"))]}

    made = builder("first", "beside", "answered", "behind")
    made.add_node("ask", ask)
    made.add_edge(START, "first")
    made.add_edge("first", "ask")
    made.add_edge("first", "beside")
    made.add_edge("ask", "answered")
    made.add_edge("beside", "behind")
    return made.compile(checkpointer=InMemorySaver())


def failing(times: int, *, tries: int = 1) -> Graph:
    """``shaky`` fails ``times`` times; one run tries it ``tries`` times."""
    left = iter(range(times))

    async def shaky(state: Trail) -> dict[str, Any]:
        if next(left, None) is not None:
            raise ConnectionError("shaky")
        return {"trail": ["shaky"]}

    made = builder("first", "then")
    made.add_node(
        "shaky", shaky, retry_policy=RetryPolicy(initial_interval=0.001, max_attempts=tries)
    )
    made.add_edge(START, "first")
    made.add_edge("first", "shaky")
    made.add_edge("shaky", "then")
    return made.compile(checkpointer=InMemorySaver())


def handled() -> Graph:
    """``broken`` fails; its error handler goes to ``repair``."""

    async def broken(state: Trail) -> dict[str, Any]:
        raise ConnectionError("broken")

    async def handle(state: Trail) -> Command[Literal["repair"]]:
        return Command(goto="repair")

    made = builder("repair")
    made.add_node("broken", broken, error_handler=handle)
    made.add_edge(START, "broken")
    return made.compile()


class Scripted(GenericFakeChatModel):
    """A fake model with scripted answers that accepts tools."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[Any, AIMessage]:
        return self


def agent() -> Graph:
    """LangChain's prebuilt agent, whose routers LangGraph does not show; one tool call per run."""

    @tool
    async def look_up(word: str) -> str:
        """Look a word up."""
        return f"{word}: found"

    def answers() -> Iterator[AIMessage]:
        while True:
            yield AIMessage("", tool_calls=[ToolCall(name="look_up", args={"word": "x"}, id="1")])
            yield AIMessage("It is there.")

    made: Graph = create_agent(Scripted(messages=answers()), [look_up])
    return made


def agent_inside() -> Graph:
    made: Builder = StateGraph(MessagesState)
    made.add_node("helper", agent())
    made.add_edge(START, "helper")
    return made.compile()
