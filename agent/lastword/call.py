"""One call, from its start to its closed record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from langchain_core.callbacks import BaseCallbackHandler
from langgraph.checkpoint.base import BaseCheckpointSaver
from livekit.agents import (
    NOT_GIVEN,
    AgentSession,
    CloseEvent,
    CloseReason,
    ConversationItemAddedEvent,
    InterruptionOptions,
    TurnHandlingOptions,
    llm,
)
from livekit.agents.voice.transcription.text_transforms import replace

from lastword.bridge.adapter import call_llm
from lastword.bridge.chat_items import run_pointer
from lastword.clock import Clock
from lastword.dispatch import Dispatch
from lastword.events import AgentSaid, CallerJoined, CallerSaid, CallStarted, EventStream
from lastword.graphs_config import CallGraph
from lastword.hangup.call_end import CallEnd
from lastword.hangup.closing import Closing
from lastword.hangup.end_call import end_call_tool
from lastword.hangup.hang_up import Line, surely
from lastword.hangup.limit_watch import LimitWatch
from lastword.hangup.phases import FarewellLimits
from lastword.hangup.playout import Playout
from lastword.providers.voices import Voices
from lastword.room.call_agent import CallAgent, SpeechTap
from lastword.room.keypad import KeypadWatch
from lastword.signals import CallEvent, CallPolicy

UNSPOKEN_PREFIXES = {"https://": "", "http://": "", "www.": ""}
"""Prefixes of web addresses that are not spoken."""

_log = logging.getLogger("lastword.call")


class StartSession(Protocol):
    """Connects a session to a room, a console, or a test's own audio."""

    def __call__(self, session: AgentSession[None], agent: CallAgent) -> Awaitable[None]:
        """Start ``session`` with ``agent``; returns when caller and agent can talk."""


class Call:
    """A call: a session between a caller and a graph, with exactly one end.

    Only the first end counts; later ones are ignored.

    Args:
        call_id: the call's id, which every event contains.
        graph: the graph and its policy.
        dispatch: the metadata of the call's dispatch.
        voices: the speech models: STT, TTS and VAD.
        events: receives the call's events.
        memory: the graph's checkpointer, unless the graph was compiled with one; it must stay open
            until the session is closed. Default: in this process.
        thread: the thread ID for LangGraph, unique to the call; default: ``call_id``.
        speech_tap: only for measurements, see ``CallAgent``.
        observers: further callbacks for the graph's runs.
        more_context: further keys of the graph's context, in addition to ``CallContext``.
        clock: the clock for limits, farewells and key presses; default: the event loop.
    """

    def __init__(
        self,
        call_id: str,
        *,
        graph: CallGraph,
        dispatch: Dispatch,
        events: EventStream,
        voices: Voices,
        memory: BaseCheckpointSaver[Any] | None = None,
        thread: str | None = None,
        speech_tap: SpeechTap | None = None,
        observers: Sequence[BaseCallbackHandler] = (),
        more_context: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._graph = graph
        self._events = events
        self.graph_llm = call_llm(
            call_id, graph, dispatch, memory, observers, more_context, thread=thread
        )
        self.session = self._make_session(voices)
        policy = graph.policy
        self.closing = Closing(events, FarewellLimits(policy.tail, policy.farewell_max_wait), clock)
        playout = Playout(self.session)
        end_call = end_call_tool(self.closing, policy, playout)
        self._agent = CallAgent(
            [end_call],
            opens=policy.first_speaker == "agent",
            answers=lambda: self.closing.is_talking,
            take_unanswered=self.closing.take_unanswered,
            speech_tap=speech_tap,
        )
        self._limit_watch = LimitWatch(
            self.session, self.graph_llm, self.closing, policy, events, playout, clock
        )
        self.keypad = KeypadWatch(
            self._tell_keys,
            lambda: self.closing.is_talking,
            events,
            self._limit_watch.key_pressed,
            clock,
        )
        self._watching: list[asyncio.Task[None]] = []
        self._is_down = False
        self.session.on("conversation_item_added", self._item_added)
        self.session.on("close", self._session_closed)

    @property
    def policy(self) -> CallPolicy:
        """The call's policy."""
        return self._graph.policy

    def end(self, end: CallEnd) -> None:
        """End the call now; has no effect if it has already ended."""
        self.closing.cut_short(end)

    @property
    def ended(self) -> bool:
        """Whether the call is over; its line may still be up."""
        return self.closing.is_decided

    async def run(
        self,
        start: StartSession,
        lines: Sequence[Line],
        *,
        caller_joined: Callable[[], Awaitable[str]],
    ) -> CallEnd:
        """Run the call until it ends, then hang up; returns how it ended.

        It always hangs up, also when its task is cancelled: it takes down the first of ``lines``
        that it can.
        """
        started = CallStarted(event="call_started", **self._events.moment(), graph=self._graph.name)
        self._events.emit(started)
        try:
            async with asyncio.TaskGroup() as tasks:
                joining = tasks.create_task(self._join(start, caller_joined, tasks))
                await self.closing.decided()
                for task in (joining, *self._watching):
                    task.cancel()
                await self._take_down(lines)  # without waiting for the cancelled tasks
        except* Exception:  # noqa: BLE001 - hang up, whatever failed
            _log.exception("the call failed")
            self.end(CallEnd("error", "call_failed"))
        finally:
            self.end(CallEnd("operator", "worker_shutdown"))
            await self._take_down(lines)
            await surely(self.graph_llm.aclose())
        return self.closing.end

    async def _take_down(self, lines: Sequence[Line]) -> None:
        """Hang up and close the record, once, even if this task is cancelled repeatedly."""
        if not self._is_down:
            self._is_down = True
            await surely(self._close(lines))

    async def _close(self, lines: Sequence[Line]) -> None:
        await self.closing.take_down(lines)
        self.closing.write_end()

    async def _join(
        self,
        start: StartSession,
        caller_joined: Callable[[], Awaitable[str]],
        tasks: asyncio.TaskGroup,
    ) -> None:
        caller = await caller_joined()
        moment = self._events.moment()
        self._events.emit(CallerJoined(event="caller_joined", **moment, caller=caller))
        self._watching = [
            tasks.create_task(self._limit_watch.run()),
            tasks.create_task(self.keypad.run()),
        ]
        await start(self.session, self._agent)

    async def _tell_keys(self, event: CallEvent) -> None:
        """A key press interrupts the agent, like speech."""
        if self.session.current_speech is not None:
            await self.session.interrupt()
        await self.graph_llm.tell(event)

    def _make_session(self, voices: Voices) -> AgentSession[None]:
        session: AgentSession[None] = AgentSession(
            llm=self.graph_llm,
            stt=voices.stt or NOT_GIVEN,
            tts=voices.tts or NOT_GIVEN,
            vad=voices.vad,
            turn_handling=_transcribing_farewells(voices.turn_handling),
            tts_text_transforms=["filter_markdown", "filter_emoji", replace(UNSPOKEN_PREFIXES)],
        )
        self.graph_llm.follow(session)
        return session

    def _item_added(self, event: ConversationItemAddedEvent) -> None:
        match event.item:
            case llm.ChatMessage(role="user") as message:
                self._events.emit(
                    CallerSaid(
                        event="caller_said",
                        **self._events.moment(),
                        words=message.text_content or "",
                        metrics=_latencies(message),
                    )
                )
            case llm.ChatMessage(role="assistant") as message:
                pointer = run_pointer(message)
                self._events.emit(
                    AgentSaid(
                        event="agent_said",
                        **self._events.moment(),
                        words=message.text_content or "",
                        nodes=pointer["nodes"] if pointer else [],
                        interrupted=message.interrupted,
                        seconds=_spoken_seconds(message),
                        metrics=_latencies(message),
                    )
                )
            case _:
                pass

    def _session_closed(self, event: CloseEvent) -> None:
        match event.reason:
            case CloseReason.PARTICIPANT_DISCONNECTED:
                return  # ``Presence`` reports the participant and the reason
            case CloseReason.ERROR:
                self.end(CallEnd("error", type(event.error).__name__))
            case CloseReason.JOB_SHUTDOWN:
                self.end(CallEnd("operator", "worker_shutdown"))
            case _:
                self.end(CallEnd("error", f"session_closed_{event.reason.value}"))


def _transcribing_farewells(given: TurnHandlingOptions | None) -> TurnHandlingOptions:
    """Keep transcribing the caller while the agent cannot be interrupted, as in a farewell."""
    options = given or TurnHandlingOptions()
    interruption = InterruptionOptions(**options.get("interruption", {}))
    interruption["discard_audio_if_uninterruptible"] = False
    return TurnHandlingOptions(**{**options, "interruption": interruption})


def _latencies(message: llm.ChatMessage) -> dict[str, float]:
    """LiveKit's latencies of one message, in seconds."""
    return {
        name: round(value, 3)
        for name, value in message.metrics.items()
        if isinstance(value, float) and name.endswith(("latency", "delay", "ttft", "ttfb"))
    }


def _spoken_seconds(message: llm.ChatMessage) -> float:
    """Seconds for which the agent spoke; 0 for text without sound."""
    metrics = message.metrics
    seconds = metrics.get("stopped_speaking_at", 0.0) - metrics.get("started_speaking_at", 0.0)
    return round(seconds, 3)
