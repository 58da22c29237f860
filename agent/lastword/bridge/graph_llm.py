"""A LangGraph graph as the LLM of a LiveKit agent session."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from langchain_core.runnables import RunnableConfig
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

from lastword.bridge.certainty import CertainTurns
from lastword.bridge.graph_run import GraphRun
from lastword.bridge.history import (
    Turn,
    call_event,
    newest_message,
    operator_answer,
    read_turn,
)
from lastword.bridge.late_work import LateWork
from lastword.bridge.remote_thread import RemoteThread
from lastword.bridge.run_pointer import Question, RunPointer
from lastword.bridge.thread import GraphThread, LocalThread
from lastword.errors import NoOpenQuestion
from lastword.signals import CallEvent, CallPolicy

KEPT_POINTERS = 64
"""Runs whose answers may still turn out to be unheard; an earlier one never does."""


class GraphLLM(langchain.LLMAdapter[Any]):
    """Speaks a graph through LiveKit; takes the place of ``livekit.plugins.langchain.LLMAdapter``.

    With a checkpointer on the graph, a turn sends only what is new, and continues from the
    checkpoint of the run that was really spoken: a discarded speculative run leaves no trace, and
    an interrupted answer is cut to what was heard. Without one, the whole history is sent.

    An ending is put into the chat stream as a call of LiveKit's tool ``end_call`` when the agent
    has such a tool; otherwise it is logged.

    Beside LiveKit's events it emits ``run_started`` with the run's id, ``run_ended`` with that and
    its pointer, and
    ``ending`` when the agent has no ``end_call`` tool.

    Args:
        graph: a compiled graph whose state has ``messages``.
        policy: how endings are recognised and what is spoken.
        config: merged into the config of every run; a ``thread_id`` in it is kept.
        context: LangGraph's runtime context of every run.
        subgraphs: also speak the output of subgraphs (endings are always found in them).
        stream_mode: as upstream: which of "messages" and "custom" is spoken.
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
        self.subgraphs = subgraphs
        self.modes = {stream_mode} if isinstance(stream_mode, str) else set(stream_mode)
        self.turns = CertainTurns()
        self.late_work = LateWork()
        self.thread = _thread(graph, config or {}, context)
        self._answered: OrderedDict[str, RunPointer] = OrderedDict()
        self._claimed: set[tuple[str, int]] = set()
        self._asked = ("unknown", "LangChain")

    @property
    def model(self) -> str:
        """Name of the chat model that the graph asked last; "unknown" before the first."""
        return self._asked[0]

    @property
    def provider(self) -> str:
        """Who serves that model."""
        return self._asked[1]

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
        return GraphRun(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)

    def follow(self, session: AgentSession[Any]) -> None:
        """Learn from ``session`` which turns are certain: whose answers it really adopts.

        In a LiveKit job the job's session is followed without being asked. As long as no session
        is followed, every turn counts as certain, and a speculative run may have lasting effects.
        """
        self.turns.follow(session)

    def _follow_job(self) -> None:
        if self.turns.session is not None:
            return
        job = get_job_context(required=False)
        if job is None:
            return
        try:
            session = job.primary_session
        except RuntimeError:  # LiveKit's way to say that the job has none
            return
        self.follow(session)

    async def answer(self, value: Any) -> SpeechHandle:
        """Answer the question that the graph waits for, as an operator, and let it go on.

        Returns the speech with which the graph goes on.

        Raises:
            NoOpenQuestion: the graph does not wait for an answer, or no session is followed.
        """
        session = self.turns.session
        questions = self.read_turn(session.history).questions if session is not None else []
        if session is None or not questions or _key(questions[0]) in self._claimed:
            raise NoOpenQuestion
        return await _go_on(session, operator_answer(value))

    async def tell(self, event: CallEvent) -> SpeechHandle:
        """Let the graph hear of something that happened to the call, and answer it.

        Returns the speech of its answer, in which there may be no words.

        Raises:
            RuntimeError: no session is followed, or it is not running.
        """
        if self.turns.session is None:
            raise RuntimeError("the graph hears of nothing as long as no session is followed")
        return await _go_on(self.turns.session, call_event(event))

    @property
    def waits_for_operator(self) -> bool:
        """Whether the graph waits for an answer that is not the caller's to give."""
        session = self.turns.session
        questions = self.read_turn(session.history).questions if session is not None else []
        waits = bool(questions) and not questions[0]["words"]
        return waits and _key(questions[0]) not in self._claimed

    async def aclose(self) -> None:
        """Wait until the graph has done what it does after its end node.

        Its memory may be closed after that.
        """
        await self.late_work.done()
        await super().aclose()

    def claim(self, question: Question) -> bool:
        """Take ``question`` for answering; False when another run has it, or has answered it."""
        if _key(question) in self._claimed:
            return False
        self._claimed.add(_key(question))
        return True

    def disclaim(self, question: Question) -> None:
        """Give ``question`` back unanswered."""
        self._claimed.discard(_key(question))

    def read_turn(self, history: llm.ChatContext) -> Turn:
        """What the turn at the end of ``history`` has to send to the graph."""
        last = newest_message(history)
        unheard = {
            item: pointer
            for item, pointer in self._answered.items()
            if item != last or self.turns.confirmed(item)
        }
        session = self.turns.session
        return read_turn(
            history,
            remembers=self.thread.remembers,
            unheard=unheard,
            playing=session is not None and session.agent_state == "speaking",
        )

    def answered(self, item_id: str, pointer: RunPointer) -> None:
        """A run answers the chat item ``item_id``; it counts if the item is in the history."""
        self._answered[item_id] = pointer
        self._answered.move_to_end(item_id)
        if len(self._answered) > KEPT_POINTERS:
            self._answered.popitem(last=False)

    def asked(self, model: str | None, provider: str | None) -> None:
        """A run has asked a chat model."""
        self._asked = (model or self._asked[0], provider or self._asked[1])


async def _go_on(session: AgentSession[Any], item: llm.ChatMessage) -> SpeechHandle:
    """Put ``item`` into the chat and let the graph answer it."""
    agent = session.current_agent
    history = agent.chat_ctx.copy()
    history.insert(item)
    await agent.update_chat_ctx(history)
    return session.generate_reply()


def _key(question: Question) -> tuple[str, int]:
    return question["id"], question["answered"]


def _thread(
    graph: PregelProtocol[Any, Any, Any, Any], config: RunnableConfig, context: Any
) -> GraphThread:
    thread_id = config.get("configurable", {}).get("thread_id") or utils.shortuuid("call_")
    match graph:
        case RemoteGraph():
            return RemoteThread(graph, thread_id, config, context)
        case Pregel():
            return LocalThread(graph, thread_id, config, context)
        case _:
            raise TypeError(f"GraphLLM needs a compiled graph or a RemoteGraph, not {graph!r}")
