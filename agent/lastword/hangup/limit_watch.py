"""Enforces one call's limits: tells the graph first, then ends the call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import inf
from typing import Any

from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    ConversationItemAddedEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    llm,
)
from livekit.agents.voice import SpeechHandle
from livekit.agents.voice.events import AgentState, EventTypes

from lastword.bridge import GraphLLM
from lastword.clock import Clock, timeout_at
from lastword.events import EventStream, GraphTold
from lastword.hangup.call_end import CallEnd
from lastword.hangup.closers import split_words
from lastword.hangup.closing import Closing
from lastword.hangup.farewell_guard import follow, guarded, limit_stopped_by
from lastword.hangup.limits import CallTimes, Due, TimeUp, due, next_look
from lastword.hangup.playout import Playout
from lastword.signals import CallPolicy, LimitNear, Silence

_log = logging.getLogger("lastword.hangup")

_CLOCK_STEP = 0.001
"""The shortest wait in seconds: an event loop may call a timer slightly early."""


class LimitWatch:
    """Enforces the limits of one call, starting when the caller has joined.

    Args:
        session: the session whose speech and silence are watched.
        graph_llm: receives the call events ``silence`` and ``limit_near``.
        closing: ends the call.
        policy: the limits.
        events: receives a ``graph_told`` event for each call event.
        playout: reports whether a farewell had sound.
        clock: the clock for the limits; default: the event loop.
    """

    def __init__(
        self,
        session: AgentSession[Any],
        graph_llm: GraphLLM,
        closing: Closing,
        policy: CallPolicy,
        events: EventStream,
        playout: Playout,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or asyncio.get_running_loop()
        self._now = self._clock.time
        self._session = session
        self._graph_llm = graph_llm
        self._closing = closing
        self._policy = policy
        self._events = events
        self._playout = playout
        self._changed = asyncio.Event()
        self._joined = self._quiet_from = self._now()
        self._runs: dict[str, float] = {}
        self._state: AgentState = session.agent_state
        self._sounding = False
        self._has_spoken = False
        self._reminders = 0
        self._warned = self._again = False
        self._sound_ended = -inf
        self._stop_farewell: Callable[[], None] | None = None

    async def run(self) -> None:
        """Watch until the task is cancelled at the end of the call."""
        self._joined = self._quiet_from = self._now()
        with self._listening():
            while True:
                self._changed.clear()
                times = self._times()
                what = due(self._policy, times) if self._closing.is_talking else None
                if what is None:
                    await self._wait(next_look(self._policy, times))
                else:
                    await self._reach(what)

    async def _reach(self, what: Due) -> None:
        """Do what is due; returns when the graph was told, or the farewell is settled."""
        if isinstance(what, TimeUp):
            await self._end(what)
        else:
            await self._tell(what)

    def key_pressed(self) -> None:
        """Report a key press, which keeps a call just as words do."""
        self._caller_is_there()
        if self._stop_farewell is not None and not self._closing.is_decided:
            self._stop_farewell()

    async def _wait(self, until: float) -> None:
        """Wait for a change or until ``until``; only for a change while the call is ending."""
        when = max(until, self._now() + _CLOCK_STEP) if self._closing.is_talking else inf
        with suppress(TimeoutError):
            async with timeout_at(self._clock, when):
                await self._changed.wait()

    async def _tell(self, event: Silence | LimitNear) -> None:
        if event["kind"] == "silence":
            self._reminders += 1
        else:
            self._warned = True
        self._quiet_from = self._now()
        kind, moment = event["kind"], self._events.moment()
        self._events.emit(GraphTold(event="graph_told", **moment, kind=kind, told=event))
        try:
            answer = await self._graph_llm.tell(event)
        except Exception:  # noqa: BLE001 - the limits still apply
            _log.exception("the graph could not be told of a call event")
            return
        if event["kind"] == "limit_near":
            answer.add_done_callback(self._warning_over)

    def _warning_over(self, answer: SpeechHandle) -> None:
        """Repeat a warning in the next quiet moment if the caller has spoken over it."""
        if answer.interrupted:
            self._warned, self._again = False, True
            self._changed.set()

    async def _end(self, limit: TimeUp) -> None:
        farewell = self._closing.begin_farewell(CallEnd("limit", limit.reason), "limit")
        if farewell is None:
            return
        speech = await self._say(limit)
        if speech is None:
            farewell.is_empty = not limit.farewell
            farewell.has_no_voice = not farewell.is_empty
            farewell.played()
            await farewell.settled()
            return
        stopped_by = limit_stopped_by(limit, self._policy)
        with guarded(self._session, speech, farewell, self._policy, stopped_by) as stop:
            if stopped_by == "never":
                await speech.wait_for_playout()
                await self._playout.report(speech, farewell)
                await farewell.settled()
                return
            self._stop_farewell = stop
            try:
                await follow(
                    self._session, speech, farewell, speech.wait_for_playout(), self._playout
                )
            finally:
                self._stop_farewell = None

    async def _say(self, limit: TimeUp) -> SpeechHandle | None:
        """Interrupt all speech and say the limit's farewell; None if nothing is spoken."""
        if not limit.for_silence:  # no answer is taken any more
            self._session.input.set_audio_enabled(False)
        try:
            await self._session.interrupt(force=True)
            if limit.farewell:
                return self._session.say(limit.farewell, allow_interruptions=False)
        except Exception:  # noqa: BLE001 - the limit applies even without a farewell
            _log.exception("the session cannot speak any more; hanging up without a farewell")
        return None

    def _times(self) -> CallTimes:
        return CallTimes(
            now=self._now(),
            joined=self._joined,
            quiet_since=self._quiet_since(),
            sounding=self._sounding,
            has_spoken=self._has_spoken,
            reminders=self._reminders,
            warned=self._warned,
            answering=bool(self._runs) or self._state == "thinking",
            again=self._again,
            sound_ended=self._sound_ended,
        )

    def _quiet_since(self) -> float | None:
        """Since when it is quiet; a run of the graph counts as quiet after ``turn_timeout``."""
        if self._state in ("speaking", "initializing") or self._graph_llm.waits_for_operator:
            return None
        if self._runs:
            return max(self._runs.values()) + self._policy.turn_timeout
        return self._quiet_from

    @contextmanager
    def _listening(self) -> Iterator[None]:
        heard: dict[EventTypes, Callable[..., None]] = {
            "user_input_transcribed": self._words,
            "conversation_item_added": self._item,
            "user_state_changed": self._user_state,
            "agent_state_changed": self._agent_state,
        }
        for event, listener in heard.items():
            self._session.on(event, listener)
        self._graph_llm.on("run_started", self._run_started)
        self._graph_llm.on("run_ended", self._run_ended)
        try:
            yield
        finally:
            for event, listener in heard.items():
                self._session.off(event, listener)
            self._graph_llm.off("run_started", self._run_started)
            self._graph_llm.off("run_ended", self._run_ended)

    def _run_started(self, run: str) -> None:
        self._runs[run] = self._now()
        self._changed.set()

    def _run_ended(self, run: str) -> None:
        self._runs.pop(run, None)
        self._quiet_from = self._now()
        self._changed.set()

    def _words(self, event: UserInputTranscribedEvent) -> None:
        if split_words(event.transcript):
            self._caller_is_there()

    def _item(self, event: ConversationItemAddedEvent) -> None:
        item = event.item
        if not isinstance(item, llm.ChatMessage) or item.role != "user":
            return
        if split_words(item.text_content or ""):
            self._caller_is_there()

    def _caller_is_there(self) -> None:
        """Restart the silence: the caller has said a word or pressed a key."""
        self._has_spoken = True
        self._reminders, self._quiet_from = 0, self._now()
        self._changed.set()

    def _user_state(self, event: UserStateChangedEvent) -> None:
        if self._sounding and event.new_state != "speaking":
            self._sound_ended = self._now()
        self._sounding = event.new_state == "speaking"
        self._changed.set()

    def _agent_state(self, event: AgentStateChangedEvent) -> None:
        self._state = event.new_state
        self._has_spoken = self._has_spoken or event.new_state == "speaking"
        if event.old_state == "speaking":
            self._quiet_from = self._now()
        self._changed.set()
