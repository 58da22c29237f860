"""The rows of the comparison of upstream's adapter and GraphLLM: a graph and a script each.

Every script runs with both adapters, and the cells of the table come from these runs. Quoted words
are the agent's messages in LiveKit's history: what a caller hears.
"""

# ruff: noqa: ARG001, ARG002 - LangGraph passes the state to nodes that do not read it

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy, interrupt
from livekit.agents.llm import ChatContext, ChatMessage
from livekit.agents.metrics import LLMMetrics

from benchmarks.adapter_call import CALL, POLICY, Adapter, AdapterCall, Graph, adapter_call
from lastword.signals import end_call, turn_certain
from tests.fakes.scripted_graph import BrokenModel, ScriptedModel, talking_graph

Script = Callable[[Adapter], Awaitable[str]]
Said = dict[str, list[BaseMessage]]


@dataclass(frozen=True)
class Row:
    """One row of the comparison: its first cell, and the script that gives the two others."""

    about: str
    script: Script


ROWS: list[Row] = []


def row(about: str) -> Callable[[Script], Script]:
    """Register a script as a row; ``about`` is its first cell, in Markdown."""

    def add(script: Script) -> Script:
        ROWS.append(Row(about, script))
        return script

    return add


def chain(*nodes: Any, remembers: bool = True, **options: Any) -> Graph:
    """A graph that runs ``nodes`` one after the other; ``options`` are those of the first."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    before = START
    for node in nodes:
        builder.add_node(node.__name__, node, **options)
        builder.add_edge(before, node.__name__)
        before, options = node.__name__, {}
    builder.add_edge(before, END)
    return builder.compile(checkpointer=InMemorySaver() if remembers else None)


def saying(text: str) -> Said:
    """The state update of a node that says ``text``."""
    return {"messages": [AIMessage(text)]}


async def fine(state: MessagesState) -> Said:
    """A node that always gives the same answer."""
    return saying("Fine.")


async def one_turn(adapter: Adapter, graph: Graph, **options: Any) -> str:
    """Run a call of one turn; returns what the caller hears."""
    async with adapter_call(adapter.make(graph, **options)) as call:
        return await call.say("Hello.")


# --- what is spoken -------------------------------------------------------------------------


@row("a node streams a model's words, and returns its message")
async def _streamed(adapter: Adapter) -> str:
    return await one_turn(adapter, talking_graph(ScriptedModel(answers=[["Good ", "morning."]])))


@row("a node that does not stream returns a whole message")
async def _whole(adapter: Adapter) -> str:
    return await one_turn(adapter, chain(fine))


@row("a node streams a model's words, and returns them in a new message")
async def _copied(adapter: Adapter) -> str:
    model = ScriptedModel(answers=[["Good ", "morning."]])

    async def talk(state: MessagesState) -> Said:
        return saying((await model.ainvoke(state["messages"])).text)

    return await one_turn(adapter, chain(talk))


@row("two nodes say something, one after the other")
async def _two_messages(adapter: Adapter) -> str:
    async def greet(state: MessagesState) -> Said:
        return saying("Hello.")

    return await one_turn(adapter, chain(greet, fine))


@row("a model in a router node, tagged with LangGraph's `nostream`")
async def _tagged(adapter: Adapter) -> str:
    return await one_turn(adapter, _routed(ScriptedModel(answers=[["BOOK", "ING"]]), tag=True))


@row(
    "the same without the tag "
    "([livekit/agents#2836](https://github.com/livekit/agents/issues/2836))"
)
async def _untagged(adapter: Adapter) -> str:
    return await one_turn(adapter, _routed(ScriptedModel(answers=[["BOOK", "ING"]]), tag=False))


@row(
    'the same, with `CallPolicy(silent_nodes={"route"})` for GraphLLM; upstream has no such setting'
)
async def _silenced(adapter: Adapter) -> str:
    policy = replace(POLICY, silent_nodes=frozenset({"route"}))
    graph = _routed(ScriptedModel(answers=[["BOOK", "ING"]]), tag=False)
    return await one_turn(adapter, graph, policy=policy)


@row("a model in a router node answers with structured output that streams as JSON text")
async def _structured(adapter: Adapter) -> str:
    model = ScriptedModel(answers=[['{"inte', 'nt": "book', '"}']])
    return await one_turn(adapter, _routed(model, tag=False))


def _routed(model: ScriptedModel, *, tag: bool) -> Graph:
    asked = model.with_config(tags=["nostream"] if tag else [])

    async def route(state: MessagesState) -> Said:
        await asked.ainvoke(state["messages"])
        return {"messages": []}

    return chain(route, fine)


@row(
    "a tool returns a result, then a node answers "
    "([livekit/agents#4768](https://github.com/livekit/agents/issues/4768))"
)
async def _tool_result(adapter: Adapter) -> str:
    @tool
    def free_times() -> str:
        """Look up free times."""
        return "SLOTS 10 14"

    async def ask(state: MessagesState) -> Said:
        call = {"name": "free_times", "args": {}, "id": "1", "type": "tool_call"}
        return {"messages": [AIMessage("", tool_calls=[call])]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("ask", ask)
    builder.add_node("tools", ToolNode([free_times]))
    builder.add_node("fine", fine)
    builder.add_edge(START, "ask")
    builder.add_edge("ask", "tools")
    builder.add_edge("tools", "fine")
    return await one_turn(adapter, builder.compile())


@row("a model streams two words in a subgraph (default settings)")
async def _subgraph(adapter: Adapter) -> str:
    inner = talking_graph(ScriptedModel(answers=[["Good ", "morning."]]), remembers=False)
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("desk", inner)
    builder.add_edge(START, "desk")
    history = ChatContext([ChatMessage(role="user", content=["Hello."])])
    async with adapter.make(builder.compile()).chat(chat_ctx=history) as stream:
        pieces = [chunk.delta.content async for chunk in stream if chunk.delta]
    return " ".join(f"“{piece.strip()}”" for piece in pieces if piece)


@row("two nodes stream at the same time")
async def _at_once(adapter: Adapter) -> str:
    turns = {"Kitchen": asyncio.Event(), "Bath": asyncio.Event()}
    turns["Kitchen"].set()

    def reporter(room: str, other: str) -> Any:
        async def my_turn() -> None:
            await turns[room].wait()
            turns[room].clear()
            turns[other].set()

        model = ScriptedModel(answers=[[f"{room} ", "is ", "clean."]], pause=my_turn)

        async def report(state: MessagesState) -> Said:
            return {"messages": [await model.ainvoke(state["messages"])]}

        return report

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    for room, other in (("Kitchen", "Bath"), ("Bath", "Kitchen")):
        builder.add_node(room, reporter(room, other))
        builder.add_edge(START, room)
    return await one_turn(adapter, builder.compile())


@row("a node fails after it has spoken, and is retried")
async def _retried(adapter: Adapter) -> str:
    model = BrokenModel(answers=[["Let me ", "see. "], ["Let me ", "see. ", "Yes."]], broken={1})

    async def talk(state: MessagesState) -> Said:
        return {"messages": [await model.ainvoke(state["messages"])]}

    policy = RetryPolicy(initial_interval=0, jitter=False, retry_on=ConnectionError)
    return await one_turn(adapter, chain(talk, retry_policy=policy))


@row('a custom event with text, `stream_mode=["messages", "custom"]`')
async def _custom(adapter: Adapter) -> str:
    async def look(state: MessagesState) -> Said:
        get_stream_writer()({"content": "One moment. "})
        return saying("Fine.")

    return await one_turn(adapter, chain(look), stream_mode=["messages", "custom"])


# --- what the graph remembers, with a checkpointer ------------------------------------------


@row("3 turns: the agent's messages in the graph's state")
async def _doubled(adapter: Adapter) -> str:
    graph = chain(fine)
    async with adapter_call(adapter.make(graph)) as call:
        for words in ("One.", "Two.", "Three."):
            await call.say(words)
        state = await graph.aget_state(CALL)
        kept = [message for message in state.values["messages"] if isinstance(message, AIMessage)]
        return f"{len(kept)} (the caller heard {len(call.spoken())})"


@row("messages that are sent to the graph at turns 1, 2 and 20")
async def _sent(adapter: Adapter) -> str:
    memory = InMemorySaver()
    graph = chain(fine, remembers=False).copy({"checkpointer": memory})
    async with adapter_call(adapter.make(graph)) as call:
        for _ in range(20):
            await call.say("One more thing.")
    inputs = [
        len(found.checkpoint["channel_values"]["__start__"]["messages"])
        async for found in memory.alist(CALL, filter={"source": "input"})
    ]
    inputs.reverse()
    return f"{inputs[0]}, {inputs[1]}, {inputs[19]}"


@row("the caller interrupts “Tuesday or Friday?” after “Tuesday”, says “Yes”: the model gets")
async def _interrupted(adapter: Adapter) -> str:
    model = ScriptedModel(answers=[["Tuesday ", "or Friday?"], ["Fine."]])
    async with adapter_call(adapter.make(talking_graph(model))) as call:
        await call.say_and_interrupt("When?", heard="Tuesday")
        await call.say("Yes")
    return _conversation(model)


@row("a speculative answer to “By” is discarded, the caller says “By the way”: the model gets")
async def _speculative(adapter: Adapter) -> str:
    model = ScriptedModel(answers=[["Bye."], ["Yes?"]])
    llm = adapter.make(talking_graph(model))
    for words in ("By", "By the way"):
        history = ChatContext([ChatMessage(role="user", content=[words])])
        await llm.chat(chat_ctx=history).collect()
    return _conversation(model)


@row(
    "a discarded speculative run reaches a node that books "
    "([livekit/agents#5924](https://github.com/livekit/agents/issues/5924)); "
    "the node first awaits `turn_certain()`, which has an effect only with GraphLLM"
)
async def _side_effect(adapter: Adapter) -> str:
    reached, booked = asyncio.Event(), asyncio.Event()

    async def book(state: MessagesState) -> Said:
        reached.set()
        await turn_certain()
        booked.set()
        return saying("Booked.")

    llm = adapter.make(chain(book))
    async with adapter_call(llm):  # GraphLLM follows its session
        history = ChatContext([ChatMessage(role="user", content=["Tuesday"])])
        async with llm.chat(chat_ctx=history):
            await reached.wait()
    return "booked" if booked.is_set() else "not booked"


def _conversation(model: ScriptedModel) -> str:
    return " · ".join(f"“{message.text}”" for message in model.calls[-1])


# --- how a call ends ------------------------------------------------------------------------


@row("the graph reaches its node `end`")
async def _end_node(adapter: Adapter) -> str:
    async def end(state: MessagesState) -> Said:
        return saying("Goodbye.")

    return await _ending(adapter, chain(end))


@row("the model streams `<end>`")
async def _end_token(adapter: Adapter) -> str:
    model = ScriptedModel(answers=[["Goodbye.", "<e", "nd>"]])
    return await _ending(adapter, talking_graph(model))


@row('a node sends `end_call("booked")`, `stream_mode=["messages", "custom"]`')
async def _end_signal(adapter: Adapter) -> str:
    async def talk(state: MessagesState) -> Said:
        end_call("booked")
        return saying("Goodbye.")

    return await _ending(adapter, chain(talk), stream_mode=["messages", "custom"])


async def _ending(adapter: Adapter, graph: Graph, **options: Any) -> str:
    async with adapter_call(adapter.make(graph, **options)) as call:
        heard = await call.say("Bye.")
        return f"{heard}; {_reasons(call) or 'nothing else'}"


def _reasons(call: AdapterCall) -> str:
    return ", ".join(f"event `ending`, reason {ending['reason']}" for ending in call.endings)


# --- what goes wrong ------------------------------------------------------------------------


@row("the graph asks with `interrupt()`; the caller answers “Yes.”")
async def _question(adapter: Adapter) -> str:
    async def ask(state: MessagesState) -> Said:
        return saying(f"You said {interrupt('Are you sure?')}")

    return await _two_turns(adapter, chain(ask), "Cancel it.", "Yes.")


@row("a node raises; the caller tries again, and the node does not raise")
async def _raising(adapter: Adapter) -> str:
    calls: list[int] = []

    async def talk(state: MessagesState) -> Said:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("the database is down")
        return saying("Fine.")

    return await _two_turns(adapter, chain(talk), "Hello.", "Hello?")


@row("a node raises at every turn")
async def _raising_always(adapter: Adapter) -> str:
    async def talk(state: MessagesState) -> Said:
        raise RuntimeError("the database is down")

    heard: list[str] = []
    async with adapter_call(adapter.make(chain(talk))) as call:
        while not (call.is_closed or call.endings):
            outcome = await call.say("Hello?")
            heard += [outcome] if outcome and outcome not in heard else []
        return "; ".join([*heard, _reasons(call) or "finally the session closes"])


@row("a node hangs (GraphLLM's time-out is 30 s by default, here 0.5 s)")
async def _hanging(adapter: Adapter) -> str:
    async def talk(state: MessagesState) -> Said:
        await asyncio.Event().wait()
        return saying("Fine.")

    policy = replace(POLICY, turn_timeout=0.5)
    async with adapter_call(adapter.make(chain(talk), policy=policy)) as call:
        return await call.say("Hello.", patience=3.0)


@row("a graph runs in a loop until LangGraph stops it")
async def _circles(adapter: Adapter) -> str:
    async def again(state: MessagesState) -> None:
        return None

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("again", again)
    builder.add_edge(START, "again")
    builder.add_edge("again", "again")
    return await one_turn(adapter, builder.compile().with_config(recursion_limit=25))


@row("the graph finishes without a word")
async def _empty(adapter: Adapter) -> str:
    async def talk(state: MessagesState) -> None:
        return None

    return await one_turn(adapter, chain(talk))


async def _two_turns(adapter: Adapter, graph: Graph, first: str, second: str) -> str:
    async with adapter_call(adapter.make(graph)) as call:
        return f"{await call.say(first)}; then {await call.say(second)}"


# --- what LiveKit reports -------------------------------------------------------------------


class NamedModel(ScriptedModel):
    """Reports a provider and a model name to LangChain."""

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {"ls_provider": "scripts", "ls_model_name": "large"}


@row("LiveKit's metrics of a turn: model, input tokens, output tokens")
async def _metrics(adapter: Adapter) -> str:
    collected: asyncio.Queue[LLMMetrics] = asyncio.Queue()
    llm = adapter.make(talking_graph(NamedModel(answers=[["Good ", "morning."]])))
    llm.on("metrics_collected", collected.put_nowait)
    history = ChatContext([ChatMessage(role="user", content=["Hello."])])
    await llm.chat(chat_ctx=history).collect()
    found = await collected.get()
    return f"{llm.model}, {found.prompt_tokens}, {found.completion_tokens}"
