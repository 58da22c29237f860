"""LiveKit's own metrics and traces tell what really happened inside the graph."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from livekit.agents import telemetry
from livekit.agents.llm import ChatContext, ChatMessage
from livekit.agents.metrics import LLMMetrics
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracerProvider

from lastword.bridge import GraphLLM
from lastword.bridge.observation import ModelCalls
from tests.fakes.scripted_graph import ScriptedModel

Graph = Pregel[Any, Any, Any, Any]


class NamedModel(ScriptedModel):
    """Tells LangChain what it is called and who serves it."""

    name_of_model: str

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {"ls_provider": "scripts", "ls_model_name": self.name_of_model}


def router_and_talker(talker: ScriptedModel) -> Graph:
    """A subgraph with a silent model, then a node that speaks."""
    router = NamedModel(answers=[["BOOK", "ING"]], name_of_model="small").with_config(
        tags=["nostream"]
    )

    async def route(state: MessagesState) -> dict[str, Any]:
        await router.ainvoke(state["messages"])
        return {}

    async def talk(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await talker.ainvoke(state["messages"])]}

    inner = StateGraph(MessagesState).add_node("route", route).add_edge(START, "route").compile()
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("desk", inner)
    builder.add_node("talk", talk)
    builder.add_edge(START, "desk")
    builder.add_edge("desk", "talk")
    return builder.compile()


class Told:
    """The metrics that an adapter tells LiveKit."""

    def __init__(self, graph_llm: GraphLLM) -> None:
        self._metrics: asyncio.Queue[LLMMetrics] = asyncio.Queue()
        graph_llm.on("metrics_collected", self._metrics.put_nowait)

    async def next(self) -> LLMMetrics:
        return await self._metrics.get()


def hello() -> ChatContext:
    return ChatContext([ChatMessage(role="user", content=["Hello."])])


async def test_the_tokens_of_all_models_are_summed_and_the_speaking_one_is_named() -> None:
    talker = NamedModel(answers=[["Good ", "morning."]], name_of_model="large")
    graph_llm = GraphLLM(router_and_talker(talker))
    told = Told(graph_llm)
    answer = await graph_llm.chat(chat_ctx=hello()).collect()
    metrics = await told.next()
    assert answer.text == "Good morning."
    assert (metrics.prompt_tokens, metrics.completion_tokens) == (2, 4)
    assert metrics.total_tokens == 6
    assert metrics.metadata is not None
    assert metrics.metadata.model_name == graph_llm.model == "large"
    assert metrics.metadata.model_provider == graph_llm.provider == "scripts"
    assert not metrics.cancelled


async def test_the_time_to_the_first_token_is_that_of_the_first_spoken_word() -> None:
    gate, reached = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        reached.set()
        await gate.wait()

    talker = NamedModel(answers=[["Good ", "morning."]], name_of_model="large", pause=wait)
    graph_llm = GraphLLM(router_and_talker(talker))
    told = Told(graph_llm)
    loop = asyncio.get_running_loop()
    async with graph_llm.chat(chat_ctx=hello()) as stream:
        began = loop.time()
        await reached.wait()
        silent = loop.time() - began
        gate.set()
        async for _ in stream:
            pass
    metrics = await told.next()
    assert silent < metrics.ttft < metrics.duration


async def test_a_cancelled_run_is_told_as_cancelled_with_the_tokens_it_had_cost() -> None:
    reached = asyncio.Event()

    async def stay() -> None:
        reached.set()
        await asyncio.Event().wait()

    talker = NamedModel(answers=[["Good ", "morning."]], name_of_model="large", pause=stay)
    graph_llm = GraphLLM(router_and_talker(talker))
    told = Told(graph_llm)
    async with graph_llm.chat(chat_ctx=hello()):
        await reached.wait()
    metrics = await told.next()
    assert metrics.cancelled
    assert (metrics.prompt_tokens, metrics.completion_tokens) == (1, 2)
    assert metrics.ttft == -1


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """What LiveKit's tracer writes during a test."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry.set_tracer_provider(provider)
    yield exporter
    telemetry.set_tracer_provider(NoOpTracerProvider())
    provider.shutdown()


def parent_of(span: ReadableSpan, among: list[ReadableSpan]) -> str:
    """Name of the span around ``span``; of a node's, the node's."""
    outer = next(one for one in among if span.parent and one.context == span.parent)
    return str((outer.attributes or {}).get("lastword.node", outer.name))


async def test_the_nodes_are_spans_inside_livekits_span_of_the_answer(
    spans: InMemorySpanExporter,
) -> None:
    talker = NamedModel(answers=[["Good morning."]], name_of_model="large")
    graph_llm = GraphLLM(router_and_talker(talker))
    told = Told(graph_llm)
    await graph_llm.chat(chat_ctx=hello()).collect()
    await told.next()
    found = list(spans.get_finished_spans())
    nodes = {
        str(span.attributes["lastword.node"]): parent_of(span, found)
        for span in found
        if span.attributes and span.name == "graph_node"
    }
    assert nodes == {"desk": "llm_request_run", "route": "desk", "talk": "llm_request_run"}


async def test_a_node_that_fails_says_so_in_its_span(spans: InMemorySpanExporter) -> None:
    async def fail(state: MessagesState) -> dict[str, Any]:
        raise RuntimeError("the database is down")

    graph = StateGraph(MessagesState).add_node("look", fail).add_edge(START, "look").compile()
    await GraphLLM(graph).chat(chat_ctx=hello()).collect()
    [span] = [one for one in spans.get_finished_spans() if one.name == "graph_node"]
    assert not span.status.is_ok


def test_an_answer_from_langchains_cache_counts_no_tokens() -> None:
    calls = ModelCalls()
    usage = cast("UsageMetadata", {"total_cost": 0})
    calls.saw(AIMessage("Hello.").model_copy(update={"usage_metadata": usage}), {})
    assert calls.usage is None
