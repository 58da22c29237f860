"""A LangGraph graph as the LLM of a LiveKit agent session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.pregel import Pregel
from langgraph.pregel.protocol import PregelProtocol
from langgraph.pregel.remote import RemoteGraph
from langgraph.types import StreamMode
from livekit.agents import (
    AgentSession,
    get_job_context,
    llm,
    utils,
)
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
)
from livekit.agents.voice import SpeechHandle
from livekit.plugins import langchain

from lastword.bridge.answer import AnswerRules
from lastword.bridge.bound_graph import BoundGraph, LocalGraph
from lastword.bridge.chat_items import call_event_item, operator_answer_item
from lastword.bridge.run import GraphRun
from lastword.bridge.server_graph import ServerGraph
from lastword.bridge.thread import ConversationThread
from lastword.dispatch import Dispatch, fitting
from lastword.errors import NoOpenQuestion
from lastword.graphs_config import CallGraph
from lastword.memory.memory_types import remembering
from lastword.signals import CallContext, CallEvent, CallPolicy


class GraphLLM(langchain.LLMAdapter[Any]):
    """Speaks a graph through LiveKit; a replacement for ``livekit.plugins.langchain.LLMAdapter``.

    With a checkpointer on the graph, a turn sends only what is new, and continues from the
    checkpoint of the run that was really spoken: a discarded speculative run leaves no trace, and
    an interrupted answer is cut to what was heard. Without one, the whole history is sent.

    An ending is put into the chat stream as a call of LiveKit's tool ``end_call`` when the agent
    has such a tool; otherwise it is logged.

    Besides LiveKit's events it emits ``run_started`` with the run's id, ``run_ended`` with that id
    and the run's pointer, and ``ending`` when the agent has no ``end_call`` tool.

    Args:
        graph: a compiled graph whose state has ``messages``, or a ``RemoteGraph``.
        policy: how endings are recognised and what is spoken.
        config: merged into the config of every run; a ``thread_id`` in it is kept.
        context: LangGraph's runtime context of every run.
        subgraphs: also speak the output of subgraphs (endings are always found in them).
        stream_mode: as upstream: which of "messages" and "custom" is spoken.

    Raises:
        TypeError: ``graph`` is neither.
        ValueError: ``stream_mode`` names another mode.
    """

    def __init__(
        self,
        graph: PregelProtocol[Any, Any, Any, Any],
        *,
        policy: CallPolicy | None = None,
        config: RunnableConfig | None = None,
        context: Any = None,
        subgraphs: bool = True,
        stream_mode: StreamMode | list[StreamMode] = "messages",
    ) -> None:
        super().__init__(
            graph, config=config, context=context, subgraphs=subgraphs, stream_mode=stream_mode
        )
        self.graph = graph
        self.policy = policy or CallPolicy()
        self.thread = ConversationThread(_bound(graph, config or {}, context))
        modes = {stream_mode} if isinstance(stream_mode, str) else set(stream_mode)
        self._rules = AnswerRules(self.policy, modes, subgraphs)

    @property
    def model(self) -> str:
        """Name of the chat model that the graph called last; "unknown" before the first."""
        return self.thread.model

    @property
    def provider(self) -> str:
        """The provider of that model, as LangChain names it."""
        return self.thread.provider

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,  # noqa: ARG002 - the graph runs its tools
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,  # noqa: ARG002
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,  # noqa: ARG002
    ) -> GraphRun:
        """Run the graph for the turn at the end of ``chat_ctx``."""
        self._follow_job()
        return GraphRun(
            self,
            self.graph,
            self.thread,
            self._rules,
            chat_ctx=chat_ctx,
            tools=tools or [],
            conn_options=conn_options,
        )

    def follow(self, session: AgentSession[Any]) -> None:
        """Learn from ``session`` which turns are certain: those whose answers it adopts.

        In a LiveKit job, the job's session is followed automatically. As long as no session is
        followed, every turn counts as certain, and a speculative run may have lasting effects.
        """
        self.thread.turns.follow(session)

    def _follow_job(self) -> None:
        if self.thread.session is not None:
            return
        job = get_job_context(required=False)
        if job is None:
            return
        try:
            session = job.primary_session
        except RuntimeError:  # how LiveKit says that the job has none
            return
        self.follow(session)

    async def answer(self, value: Any) -> SpeechHandle:
        """Answer the question that the graph waits for, as an operator, and let it continue.

        Returns the speech with which the graph continues. ``value`` is any JSON.

        Raises:
            NoOpenQuestion: the graph does not wait for an answer, or no session is followed.
        """
        session = self.thread.session
        if session is None or self.thread.open_question is None:
            raise NoOpenQuestion
        return await self.thread.answer_item(session, operator_answer_item(value))

    async def tell(self, event: CallEvent) -> SpeechHandle:
        """Tell the graph about something that happened to the call, and let it answer.

        Returns the speech of its answer, which may have no words.

        Raises:
            RuntimeError: no session is followed, or it is not running.
        """
        session = self.thread.session
        if session is None:
            raise RuntimeError(
                "the graph cannot be told of call events yet: call follow(session) first"
            )
        return await self.thread.answer_item(session, call_event_item(event))

    @property
    def waits_for_operator(self) -> bool:
        """Whether the graph waits for an answer that the caller cannot give."""
        question = self.thread.open_question
        return question is not None and not question["words"]

    async def aclose(self) -> None:
        """Wait until the graph has finished its work after its end node.

        Its memory may be closed after that.
        """
        await self.thread.background.done()
        await super().aclose()


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
    """Create the LLM of one call from its graph.

    Args:
        call_id: the call's name.
        graph: the graph and its policy.
        dispatch: the metadata the call was dispatched with.
        memory: where the graph remembers the call, unless it was compiled with its own; default: in
            this process.
        observers: callback handlers for every run of the graph.
        more_context: keys of the graph's own context.
        thread: name of the LangGraph thread; default: ``call_id``.
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


def _bound(
    graph: PregelProtocol[Any, Any, Any, Any], config: RunnableConfig, context: Any
) -> BoundGraph:
    thread_id = config.get("configurable", {}).get("thread_id") or utils.shortuuid("call_")
    match graph:
        case RemoteGraph():
            return ServerGraph(graph, thread_id, config, context)
        case Pregel():
            return LocalGraph(graph, thread_id, config, context)
        case _:
            raise TypeError(f"GraphLLM needs a compiled graph or a RemoteGraph, not {graph!r}")
