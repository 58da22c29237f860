"""Graphs that can reach an ending, and graphs that cannot."""

from __future__ import annotations

from typing import Any, Literal

from langchain_core.messages import AIMessage
from langgraph.func import entrypoint
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from lastword.signals import CallPolicy

Update = dict[str, Any]


def not_run() -> None:
    raise AssertionError("a node was run")


def builder() -> StateGraph[Any, Any, Any, Any]:
    return StateGraph(MessagesState)


async def talk(state: MessagesState) -> Update:
    not_run()
    return {"messages": [AIMessage("How can I help?")]}


async def goodbye(state: MessagesState) -> Update:
    not_run()
    return {"messages": [AIMessage("Goodbye!")]}


def wants_more(state: MessagesState) -> Literal["talk", "end"]:
    not_run()
    return "talk"


by_node_builder = builder()
by_node_builder.add_node("talk", talk)
by_node_builder.add_node("end", goodbye)
by_node_builder.add_conditional_edges(START, wants_more)
by_node = by_node_builder.compile()

no_ending_builder = builder()
no_ending_builder.add_node("talk", talk)
no_ending_builder.add_edge(START, "talk")
no_ending = no_ending_builder.compile()


async def asks(state: MessagesState) -> Command[Literal["enter", "end"]]:
    not_run()
    return Command(goto="enter")


async def checks(state: MessagesState) -> Command[Literal["again"]]:
    not_run()
    interrupt("Which number?")
    return Command(goto="again")


async def again(state: MessagesState) -> Command[Literal["check"]]:
    not_run()
    return Command(goto="check")


trapped_builder = builder()
trapped_builder.add_node("ask", asks)
trapped_builder.add_node("enter", again)
trapped_builder.add_node("check", checks)
trapped_builder.add_node("again", again)
trapped_builder.add_node("end", goodbye)
trapped_builder.add_edge(START, "ask")
trapped = trapped_builder.compile()

out_by_interrupt_builder = builder()
out_by_interrupt_builder.add_node("ask", asks)
out_by_interrupt_builder.add_node("enter", again)
out_by_interrupt_builder.add_node("check", checks)
out_by_interrupt_builder.add_node("again", talk)
out_by_interrupt_builder.add_node("end", goodbye)
out_by_interrupt_builder.add_edge(START, "ask")
out_by_interrupt = out_by_interrupt_builder.compile()

never_there_builder = builder()
never_there_builder.add_node("talk", talk)
never_there_builder.add_node("end", goodbye)
never_there_builder.add_edge(START, "talk")
never_there = never_there_builder.compile()

goes_on_builder = builder()
goes_on_builder.add_node("end", goodbye)
goes_on_builder.add_node("talk", talk)
goes_on_builder.add_edge(START, "end")
goes_on_builder.add_edge("end", "talk")
goes_on = goes_on_builder.compile()


async def write_down(state: MessagesState) -> Update:
    not_run()
    return {}


async def jumps(state: MessagesState) -> Command[Any]:
    not_run()
    return Command(goto="end" if state["messages"] else END)


undeclared_builder = builder()
undeclared_builder.add_node("jump", jumps)
undeclared_builder.add_node("end", goodbye)
undeclared_builder.add_edge(START, "jump")
undeclared = undeclared_builder.compile()


lost_builder = builder()
lost_builder.add_node("end", goodbye)
lost_builder.add_node("lost", talk)
lost_builder.add_edge(START, "end")
lost = lost_builder.compile()

inside_builder = builder()
inside_builder.add_node("desk", by_node)
inside_builder.add_edge(START, "desk")
inside = inside_builder.compile()

inside_goes_on_builder = builder()
inside_goes_on_builder.add_node("desk", by_node)
inside_goes_on_builder.add_node("more", talk)
inside_goes_on_builder.add_edge(START, "desk")
inside_goes_on_builder.add_edge("desk", "more")
inside_goes_on = inside_goes_on_builder.compile()


async def calls_a_graph(state: MessagesState) -> Update:
    not_run()
    return dict(await by_node.ainvoke({"messages": state["messages"]}))


inside_a_function_builder = builder()
inside_a_function_builder.add_node("desk", calls_a_graph)
inside_a_function_builder.add_edge(START, "desk")
inside_a_function = inside_a_function_builder.compile()


def anywhere_at_all(state: MessagesState) -> str:
    not_run()
    return str(state["messages"][-1].content)


anywhere_builder = builder()
anywhere_builder.add_node("talk", talk)
anywhere_builder.add_node("end", goodbye)
anywhere_builder.add_conditional_edges(START, anywhere_at_all)
anywhere = anywhere_builder.compile()


async def jumps_or_stays(state: MessagesState) -> Update | Command[Any]:
    not_run()
    return Command(goto="end")


union_builder = builder()
union_builder.add_node("jump", jumps_or_stays)
union_builder.add_node("end", goodbye)
union_builder.add_edge(START, "jump")
union = union_builder.compile()

destinations_builder = builder()
destinations_builder.add_node("jump", jumps_or_stays, destinations=("again",))
destinations_builder.add_node("again", jumps_or_stays, destinations=("jump",))
destinations_builder.add_edge(START, "jump")
destinations = destinations_builder.compile()


async def hands_over(state: MessagesState) -> Command[Any]:
    not_run()
    return Command(goto="end", graph=Command.PARENT)


handing_builder = builder()
handing_builder.add_node("ask", hands_over)
handing_builder.add_edge(START, "ask")
handed_over_builder = builder()
handed_over_builder.add_node("desk", handing_builder.compile())
handed_over_builder.add_node("end", goodbye)
handed_over_builder.add_edge(START, "desk")
handed_over = handed_over_builder.compile()

circle_builder = builder()
circle_builder.add_node("talk", talk)
circle_builder.add_node("end", goodbye)
circle_builder.add_edge(START, "talk")
circle_builder.add_edge("talk", "end")
circle_builder.add_edge("end", "talk")
circle = circle_builder.compile()

agent_builder = builder()
agent_builder.add_node("end", goodbye)
agent_builder.add_node("agent", by_node)
agent_builder.add_edge(START, "end")
agent = agent_builder.compile()


@entrypoint()
def functional(words: str) -> dict[str, Any]:
    not_run()
    return {"words": words}


call_policy = CallPolicy()
