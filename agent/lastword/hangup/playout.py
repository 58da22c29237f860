"""Whether a farewell could be heard: what the loudspeaker says of its sound."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from livekit.agents import AgentSession, SpeechCreatedEvent
from livekit.agents.voice import SpeechHandle

from lastword.hangup.closing import Farewell


class Playout:
    """Watches what a session's speeches put into its loudspeaker.

    A voice that is switched off, or whose sound is cleared away, lets LiveKit's speech end like any
    other, and so does a speech without a word.
    """

    def __init__(self, session: AgentSession[Any]) -> None:
        self._session = session
        self._before: WeakKeyDictionary[SpeechHandle, int] = WeakKeyDictionary()
        session.on("speech_created", self._created)

    def _created(self, event: SpeechCreatedEvent) -> None:
        loudspeaker = self._session.output.audio
        if loudspeaker is not None:
            self._before[event.speech_handle] = loudspeaker.captured_playout_segments

    async def report(self, speech: SpeechHandle, farewell: Farewell) -> None:
        """Report that ``speech`` has been played as the farewell, and what was wrong with it.

        A session without a loudspeaker, as in a typed conversation, has no sound to lose.
        """
        loudspeaker = self._session.output.audio
        if loudspeaker is None:
            farewell.played()
            return
        had_sound = loudspeaker.captured_playout_segments != self._before.get(speech)
        if not self._session.output.audio_enabled:
            farewell.was_muted = True
        elif not had_sound:
            farewell.is_empty = True
        farewell.played()
        if had_sound:  # what has been played is not waited for: this returns at once
            farewell.was_cut = (await loudspeaker.wait_for_playout()).interrupted
