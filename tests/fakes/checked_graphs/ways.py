"""Graphs that can, or cannot, come to an ending."""

from __future__ import annotations

from typing import Any, Literal, cast

from langchain_core.messages import AIMessage
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from lastword import signals
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


async def names_reason(state: MessagesState) -> Update:
    not_run()
    return {"ending": {"reason": "done"}, "messages": [AIMessage("Goodbye!")]}


channel_only_builder = builder()
channel_only_builder.add_node("talk", names_reason)
channel_only_builder.add_edge(START, "talk")
channel_only = channel_only_builder.compile()


def finish() -> None:
    signals.end_call("done")


async def decide(state: MessagesState) -> Update:
    not_run()
    finish()
    return {"messages": [AIMessage("Goodbye!")]}


by_helper_builder = builder()
by_helper_builder.add_node("talk", decide)
by_helper_builder.add_edge(START, "talk")
by_helper = by_helper_builder.compile()


async def decide_by_hand(state: MessagesState) -> Update:
    not_run()
    get_stream_writer()({"type": "lastword.end_call", "reason": "done"})
    return {"messages": [AIMessage("Goodbye!")]}


by_event_builder = builder()
by_event_builder.add_node("talk", decide_by_hand)
by_event_builder.add_edge(START, "talk")
by_event = by_event_builder.compile()


async def decide_late(state: MessagesState) -> Update:
    from lastword.signals import end_call  # noqa: PLC0415 - as some write it

    not_run()
    end_call()
    return {}


by_local_import_builder = builder()
by_local_import_builder.add_node("talk", decide_late)
by_local_import_builder.add_edge(START, "talk")
by_local_import = by_local_import_builder.compile()


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


works_on_builder = builder()
works_on_builder.add_node("end", goodbye)
works_on_builder.add_node("write_down", write_down)
works_on_builder.add_edge(START, "end")
works_on_builder.add_edge("end", "write_down")
works_on = works_on_builder.compile()


async def jumps(state: MessagesState) -> Command[Any]:
    not_run()
    return Command(goto="end" if state["messages"] else END)


undeclared_builder = builder()
undeclared_builder.add_node("jump", jumps)
undeclared_builder.add_node("end", goodbye)
undeclared_builder.add_edge(START, "jump")
undeclared = undeclared_builder.compile()


async def jumps_anywhere(state: MessagesState) -> Command[Any]:
    not_run()
    return Command(goto=str(state["messages"][-1].content))


anywhere_builder = builder()
anywhere_builder.add_node("jump", jumps_anywhere)
anywhere_builder.add_node("end", goodbye)
anywhere_builder.add_edge(START, "jump")
anywhere = anywhere_builder.compile()

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

two_in_a_line = ((lambda _: not_run()), (lambda _: finish()))
lambdas_builder = builder()
lambdas_builder.add_node("first", two_in_a_line[0])
lambdas_builder.add_node("last", two_in_a_line[1])
lambdas_builder.add_edge(START, "first")
lambdas_builder.add_conditional_edges("first", lambda _: "last" if _ else END)
lambdas = lambdas_builder.compile()


async def calls_a_graph(state: MessagesState) -> Update:
    not_run()
    return dict(await by_node.ainvoke({"messages": state["messages"]}))


inside_a_function_builder = builder()
inside_a_function_builder.add_node("desk", calls_a_graph)
inside_a_function_builder.add_edge(START, "desk")
inside_a_function = inside_a_function_builder.compile()


def ends_and_leaves(state: MessagesState) -> Literal["talk", "__end__"]:
    not_run()
    finish()
    return "__end__"


by_edge_builder = builder()
by_edge_builder.add_node("talk", talk)
by_edge_builder.add_edge(START, "talk")
by_edge_builder.add_conditional_edges("talk", ends_and_leaves)
by_edge = by_edge_builder.compile()


def by_union(state: MessagesState) -> Literal["talk"] | Literal["end"]:
    not_run()
    return cast("Literal['talk', 'end']", state["messages"][-1].content)


union_builder = builder()
union_builder.add_node("talk", talk)
union_builder.add_node("end", goodbye)
union_builder.add_node("lost", write_down)
union_builder.add_conditional_edges(START, by_union)
union = union_builder.compile()


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

call_policy = CallPolicy()
