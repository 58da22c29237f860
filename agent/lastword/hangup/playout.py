"""Whether a farewell was really played, according to the session's audio output."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from livekit.agents import AgentSession, SpeechCreatedEvent
from livekit.agents.voice import SpeechHandle

from lastword.hangup.closing import Farewell


class Playout:
    """Watches the audio that a session's speeches send to its audio output.

    This is necessary because a LiveKit speech ends normally even if the output is disabled, its
    audio was cleared, or it had no words.
    """

    def __init__(self, session: AgentSession[Any]) -> None:
        self._session = session
        self._before: WeakKeyDictionary[SpeechHandle, int] = WeakKeyDictionary()
        session.on("speech_created", self._created)

    def _created(self, event: SpeechCreatedEvent) -> None:
        audio_output = self._session.output.audio
        if audio_output is not None:
            self._before[event.speech_handle] = audio_output.captured_playout_segments

    async def report(self, speech: SpeechHandle, farewell: Farewell) -> None:
        """Report the end of ``speech`` as the farewell, and whether it was muted, empty or cut.

        A session without an audio output, as in a text conversation, has no audio to lose.
        """
        audio_output = self._session.output.audio
        if audio_output is None:
            farewell.played()
            return
        had_sound = audio_output.captured_playout_segments != self._before.get(speech)
        if not self._session.output.audio_enabled:
            farewell.was_muted = True
        elif not had_sound:
            farewell.is_empty = True
        farewell.played()
        if had_sound:  # it has ended already, so this returns at once
            farewell.was_cut = (await audio_output.wait_for_playout()).interrupted
