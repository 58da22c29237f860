"""Listens to the caller during a farewell, and calls the hang-up off if the policy says so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from livekit.agents import (
    AgentSession,
    ErrorEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    tts,
)
from livekit.agents.voice import SpeechHandle

from lastword.hangup.closers import is_closer, split_words
from lastword.hangup.closing import Farewell
from lastword.hangup.limits import TimeUp
from lastword.hangup.playout import Playout
from lastword.signals import CallPolicy

StoppedBy = Literal["new_request", "any", "never", "words"]
"""What calls a farewell off: as ``CallPolicy.farewell_interruption``, or "words" (any words) for a
farewell because of silence."""

UNSETTLED_WORDS = 3
"""The last words of an interim transcript, which may still change: "by the" may become "bye then",
and "have a nice" may be followed by "day". It is not an interruption if it is a closer without
some of them."""

_log = logging.getLogger("lastword.hangup")


def limit_stopped_by(limit: TimeUp, policy: CallPolicy) -> StoppedBy:
    """What calls a limit's farewell off: any words if the limit was for silence, else nothing."""
    is_kept = limit.for_silence and policy.farewell_interruption != "never"
    return "words" if is_kept else "never"


@contextmanager
def guarded(
    session: AgentSession[Any],
    speech: SpeechHandle,
    farewell: Farewell,
    policy: CallPolicy,
    stopped_by: StoppedBy,
) -> Iterator[Callable[[], None]]:
    """Listen to the caller during the farewell ``speech``, and call it off if the policy says so.

    Yields a function that stops the farewell and calls the hang-up off at once.
    """
    listener = _Listener(speech, farewell, policy, stopped_by)
    session.on("user_input_transcribed", listener.heard)
    session.on("user_state_changed", listener.user_state)
    session.on("error", listener.error)
    if stopped_by != "words":  # a sound from before this farewell has had no words
        listener.sound(speaking=session.user_state == "speaking")
    try:
        yield listener.stop
    finally:
        session.off("user_input_transcribed", listener.heard)
        session.off("user_state_changed", listener.user_state)
        session.off("error", listener.error)


async def follow(
    session: AgentSession[Any],
    speech: SpeechHandle,
    farewell: Farewell,
    played: Awaitable[None],
    playout: Playout,
) -> None:
    """Report the playout, or an interruption, until the ending is called off or the call is over.

    A session that is being closed interrupts all speech; this does not call the ending off.
    """
    await played
    if not speech.interrupted:
        await playout.report(speech, farewell)
    async with asyncio.TaskGroup() as tasks:
        settled = tasks.create_task(farewell.settled())
        await speech.wait_if_not_interrupted([settled])
        settled.cancel()
    is_closing = session._is_closing()  # noqa: SLF001 - no public name before it is closed
    if speech.interrupted and not is_closing:
        farewell.call_off()


class _Listener:
    """Listens to the caller during one farewell."""

    def __init__(
        self,
        speech: SpeechHandle,
        farewell: Farewell,
        policy: CallPolicy,
        stopped_by: StoppedBy,
    ) -> None:
        self._speech = speech
        self._farewell = farewell
        self._stopped_by = stopped_by
        self._is_closer: Callable[[str, str], bool] = policy.is_closer or is_closer

    def error(self, event: ErrorEvent) -> None:
        """Note that the TTS has failed: the farewell cannot be heard."""
        if isinstance(event.error, tts.TTSError) and not event.error.recoverable:
            self._farewell.has_no_voice = True

    def user_state(self, event: UserStateChangedEvent) -> None:
        self.sound(speaking=event.new_state == "speaking")

    def sound(self, *, speaking: bool) -> None:
        """Report that the caller has started or stopped making a sound."""
        if self._stopped_by != "never":
            self._farewell.makes_sound(speaking=speaking)

    def heard(self, event: UserInputTranscribedEvent) -> None:
        """Handle a transcript; LiveKit drops its turn unless the farewell is called off."""
        words = event.transcript.strip()
        if self._speech.interrupted or not split_words(words):  # noise may be transcribed as "..."
            return
        if event.is_final:
            self._farewell.caller_said(words)
        if not self._stops(event):
            if event.is_final:
                self._farewell.words_came()
            return
        self.stop()

    def stop(self) -> None:
        """Stop the farewell and call the hang-up off."""
        self._speech.allow_interruptions = True
        self._speech.interrupt()
        self._farewell.call_off()

    def _stops(self, event: UserInputTranscribedEvent) -> bool:
        match self._stopped_by:
            case "never":
                return False
            case "words":
                return True
            case "any":  # LiveKit itself handles a sound without words
                return event.is_final
            case _:
                return not self._says_goodbye(event)

    def _says_goodbye(self, event: UserInputTranscribedEvent) -> bool:
        """Whether the transcript is a closer or, if interim, may become one."""
        words, language = event.transcript.split(), event.language or ""
        unsettled = 0 if event.is_final else UNSETTLED_WORDS
        settled = (words[: len(words) - number] for number in range(unsettled + 1))
        try:
            return any(not some or self._is_closer(" ".join(some), language) for some in settled)
        except Exception:  # noqa: BLE001 - it is the user's code
            _log.exception("the policy's is_closer failed; the call goes on")
            return False
