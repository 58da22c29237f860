"""A graph of stages that follows a script turn by turn and can be stopped at any place."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.tool import ToolCall, tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import Send

from lastword.signals import say

ENTRY = "entry"
Nesting = Literal["flat", "subgraph", "called"]
"""Location of a stage: in the graph, in a subgraph, or in a graph that a node calls."""


@dataclass(frozen=True)
class Streams:
    """A model streams a message; ``rewritten``: its node returns the text in a new message."""

    chunks: tuple[str, ...]
    rewritten: bool = False


@dataclass(frozen=True)
class Writes:
    """The stage returns a whole message."""

    text: str


@dataclass(frozen=True)
class Says:
    """The stage sends a ``say`` signal; its words are in no message."""

    text: str


@dataclass(frozen=True)
class Calls:
    """A model calls tools, with or without words before; once the tools have run, it continues.

    ``parallel``: every tool runs in its own task; otherwise one node runs them in order.
    """

    chunks: tuple[str, ...]
    tools: int
    parallel: bool


@dataclass(frozen=True)
class Quiet:
    """The stage does nothing."""


Step = Streams | Writes | Says | Calls | Quiet
Script = tuple[Step, ...]


class ToolTask(TypedDict):
    """The input of a tool that runs in parallel with others."""

    call: ToolCall


def places(script: Script) -> list[str]:
    """Return the places at which a performance of ``script`` can be stopped, in order."""
    found = [ENTRY]
    for at, step in enumerate(script):
        chunks = step.chunks if isinstance(step, Streams | Calls) else ()
        found += [f"{at} begins"]
        found += [f"{at} chunk {number}" for number in range(len(chunks))]
        found += [f"{at} ends"]
        if isinstance(step, Calls):
            for number in range(step.tools):
                found += [f"{at} tool {number}", f"{at} tool {number} done"]
    return found


@dataclass
class Piece:
    """Words that the graph has output; ``in_graph``: they belong to a message of the graph."""

    text: str
    in_graph: bool


@dataclass
class Performance:
    """The script of this turn, and a record of the call so far.

    ``seen`` has the messages at the start of each turn, ``runs`` counts the effects of each tool
    call, ``results`` has the answers of the tools whose node finished.
    """

    script: Script = ()
    stop_at: str | None = None
    turn: int = 0
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    pieces: list[Piece] = field(default_factory=list)
    seen: list[list[BaseMessage]] = field(default_factory=list)
    runs: Counter[str] = field(default_factory=Counter)
    results: dict[str, str] = field(default_factory=dict)
    _over: defaultdict[str, asyncio.Event] = field(
        default_factory=lambda: defaultdict(asyncio.Event)
    )

    def begin(self, script: Script, stop_at: str | None) -> None:
        """Start a turn; at the place ``stop_at`` the graph waits until it is cancelled."""
        self.script, self.stop_at = script, stop_at
        self.turn += 1
        self.pieces = []
        self.stopped.clear()

    async def reach(self, place: str, *, after: Iterable[str] = ()) -> None:
        """Record that the graph is at ``place``; a stop there waits for tool calls ``after``."""
        if place != self.stop_at:
            return
        for call_id in after:
            await self._over[call_id].wait()
        self.stopped.set()
        await asyncio.Event().wait()

    def speak(self, text: str, *, begins: bool = True, in_graph: bool = True) -> None:
        """Record words that the graph outputs now."""
        if begins:
            self.pieces.append(Piece("", in_graph))
        self.pieces[-1].text += text

    def tool_calls(self, at: int) -> list[ToolCall]:
        """Return the tool calls of stage ``at`` in this turn."""
        step = self.script[at]
        return [
            ToolCall(name="book", args={}, id=f"{self.turn}.{at}.{number}", type="tool_call")
            for number in range(step.tools if isinstance(step, Calls) else 0)
        ]

    async def run_tool(self, at: int, call: ToolCall, *, after: Iterable[str] = ()) -> ToolMessage:
        """Run a tool call."""
        call_id = str(call["id"])
        place = f"{at} tool {call_id.rpartition('.')[2]}"
        await self.reach(place, after=after)
        self.runs[call_id] += 1
        await self.reach(f"{place} done", after=after)
        return ToolMessage(f"booked {call_id}", tool_call_id=call_id, name=call["name"])

    def keep(self, answers: Sequence[ToolMessage]) -> dict[str, Any]:
        """Record the answers of a node's tools; return the node's update."""
        for answer in answers:
            self.results[answer.tool_call_id] = str(answer.text)
            self._over[answer.tool_call_id].set()
        return {"messages": list(answers)}


class StageModel(BaseChatModel):
    """Streams the message of one stage."""

    performance: Any
    at: int

    @property
    def _llm_type(self) -> str:
        return "stage"

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        performance: Performance = self.performance
        step = performance.script[self.at]
        for number, chunk in enumerate(step.chunks if isinstance(step, Streams | Calls) else ()):
            await performance.reach(f"{self.at} chunk {number}")
            performance.speak(chunk, begins=number == 0)
            yield ChatGenerationChunk(message=AIMessageChunk(content=chunk))
        await performance.reach(f"{self.at} ends")
        if calls := performance.tool_calls(self.at):
            chunks = [
                tool_call_chunk(name=call["name"], args="{}", id=call["id"], index=index)
                for index, call in enumerate(calls)
            ]
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=chunks))

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError("a stage streams")

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        raise NotImplementedError("graphs are run asynchronously")


def staged_graph(
    performance: Performance, nestings: Sequence[Nesting]
) -> Pregel[Any, Any, Any, Any]:
    """Return a chain of stages, each nested as requested; neighbours share a subgraph."""

    async def listen(state: MessagesState) -> dict[str, Any]:
        performance.seen.append(list(state["messages"]))
        await performance.reach(ENTRY)
        return {}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("listen", listen)
    builder.add_edge(START, "listen")
    groups = [list(group) for _, group in groupby(range(len(nestings)), key=nestings.__getitem__)]
    entries = [_entry(nestings[group[0]], group[0]) for group in groups]
    builder.add_edge("listen", entries[0])
    for group, entry, goes_on in zip(groups, entries, [*entries[1:], END], strict=True):
        if nestings[group[0]] == "flat":
            _add_stages(builder, performance, group, goes_on)
            continue
        inner: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
        inner.add_edge(START, _entry("flat", group[0]))
        _add_stages(inner, performance, group, END)
        graph = inner.compile()
        builder.add_node(entry, graph if nestings[group[0]] == "subgraph" else _caller(graph))
        builder.add_edge(entry, goes_on)
    return builder.compile()


def _entry(nesting: Nesting, at: int) -> str:
    return f"act{at}" if nesting == "flat" else f"{nesting}{at}"


def _add_stages(
    builder: StateGraph[Any, Any, Any, Any],
    performance: Performance,
    stages: Sequence[int],
    goes_on: str,
) -> None:
    nexts = [*(_entry("flat", at) for at in stages[1:]), goes_on]
    for at, following in zip(stages, nexts, strict=True):
        _add_stage(builder, performance, at, following)


def _caller(graph: Pregel[Any, Any, Any, Any]) -> Callable[..., Any]:
    async def call(state: MessagesState) -> dict[str, Any]:
        return {"messages": (await graph.ainvoke(state))["messages"]}

    return call


def _add_stage(
    builder: StateGraph[Any, Any, Any, Any], performance: Performance, at: int, goes_on: str
) -> None:
    """Add the nodes of one stage: one that acts, and two ways to run its tools."""

    async def act(state: MessagesState) -> dict[str, Any]:
        await performance.reach(f"{at} begins")
        match performance.script[at]:
            case Streams() | Calls() as step:
                model = StageModel(performance=performance, at=at)
                message = await model.ainvoke(state["messages"])
                rewritten = isinstance(step, Streams) and step.rewritten
                return {"messages": [AIMessage(message.text) if rewritten else message]}
            case Writes(text):
                await performance.reach(f"{at} ends")
                performance.speak(text)
                return {"messages": [AIMessage(text)]}
            case Says(text):
                performance.speak(text, in_graph=False)
                say(text)
        await performance.reach(f"{at} ends")
        return {}

    async def tools(state: MessagesState) -> dict[str, Any]:
        called = state["messages"][-1]
        assert isinstance(called, AIMessage)
        return performance.keep([await performance.run_tool(at, one) for one in called.tool_calls])

    async def tool(state: ToolTask) -> dict[str, Any]:
        call = state["call"]
        others = [str(one["id"]) for one in performance.tool_calls(at) if one["id"] != call["id"]]
        return performance.keep([await performance.run_tool(at, call, after=others)])

    def route(state: MessagesState) -> str | list[Send]:
        step = performance.script[at]
        if not isinstance(step, Calls):
            return goes_on
        if not step.parallel:
            return f"tools{at}"
        return [Send(f"tool{at}", ToolTask(call=call)) for call in performance.tool_calls(at)]

    builder.add_node(f"act{at}", act)
    builder.add_node(f"tools{at}", tools)
    builder.add_node(f"tool{at}", tool)
    builder.add_conditional_edges(f"act{at}", route, [f"tools{at}", f"tool{at}", goes_on])
    builder.add_edge(f"tools{at}", goes_on)
    builder.add_edge(f"tool{at}", goes_on)
