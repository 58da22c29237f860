"""A fake streaming STT: the test sends its events."""

from __future__ import annotations

import asyncio

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
    stt,
    utils,
)
from livekit.agents.language import LanguageCode
from livekit.agents.stt import SpeechData, SpeechEvent, SpeechEventType
from livekit.agents.voice.turn import TurnHandlingOptions

from lastword.providers.voices import Voices

ENGLISH = LanguageCode("en")


class FakeSTT(stt.STT[None]):
    """A streaming STT that recognises what the test sends it, interim results included.

    Events sent before a stream is open arrive when it opens. A flush, which LiveKit requests before
    it closes a session, is answered with an empty final transcript.
    """

    def __init__(self) -> None:
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True, interim_results=True, manual_flush=True
            )
        )
        self.events: utils.aio.Chan[SpeechEvent] = utils.aio.Chan()

    def hear(self, kind: SpeechEventType, words: str = "") -> None:
        """Send one event; ``words`` are only for the three kinds of transcript."""
        self.events.send_nowait(_event(kind, words))

    def hear_turn(self, words: str) -> None:
        """Send a whole turn: start of speech, final transcript, end of speech."""
        self.hear(SpeechEventType.START_OF_SPEECH)
        self.hear(SpeechEventType.FINAL_TRANSCRIPT, words)
        self.hear(SpeechEventType.END_OF_SPEECH)

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,  # noqa: ARG002 - LiveKit's
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        """Open a stream, which gets the events."""
        return _FakeStream(self, conn_options)

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> SpeechEvent:
        raise NotImplementedError("FakeSTT only supports streaming: use stream()")


def fake_voices(fake_stt: FakeSTT, *, preemptive: bool, preemptive_tts: bool = False) -> Voices:
    """Create voices with ``fake_stt`` and no TTS; its end of speech is the end of the turn."""
    turn_handling = TurnHandlingOptions(
        turn_detection="stt",
        endpointing={"min_delay": 0, "max_delay": 0},
        interruption={"mode": "vad", "resume_false_interruption": False},
        preemptive_generation={
            "enabled": preemptive,
            "preemptive_tts": preemptive_tts,
            "max_retries": 100,
        },
    )
    return Voices("fake", stt=fake_stt, turn_handling=turn_handling)


class _FakeStream(stt.RecognizeStream):
    _stt: FakeSTT

    def __init__(self, fake_stt: FakeSTT, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=fake_stt, conn_options=conn_options)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hear())
            async for item in self._input_ch:
                if isinstance(item, self._FlushSentinel):
                    self._event_ch.send_nowait(_event(SpeechEventType.FINAL_TRANSCRIPT, ""))

    async def _hear(self) -> None:
        async for event in self._stt.events:
            self._event_ch.send_nowait(event)


def _event(kind: SpeechEventType, words: str) -> SpeechEvent:
    return SpeechEvent(kind, alternatives=[SpeechData(language=ENGLISH, text=words, confidence=1)])
