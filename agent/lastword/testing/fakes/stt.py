"""Ears that hear what they are told, version by version, as a streaming recogniser does."""

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


class ScriptedEars(stt.STT[None]):
    """Implements LiveKit's streaming recogniser; needs no sound.

    What is told before a stream is open is heard when it opens. Asked to flush, as LiveKit does
    before it closes a session, the ears have nothing to add.
    """

    def __init__(self) -> None:
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True, interim_results=True, manual_flush=True
            )
        )
        self.told: utils.aio.Chan[SpeechEvent] = utils.aio.Chan()

    def hear(self, kind: SpeechEventType, words: str = "") -> None:
        """Pass on one event; ``words`` belong to the three kinds of transcript."""
        self.told.send_nowait(_event(kind, words))

    def hear_turn(self, words: str) -> None:
        """Pass on what a caller says in one breath."""
        self.hear(SpeechEventType.START_OF_SPEECH)
        self.hear(SpeechEventType.FINAL_TRANSCRIPT, words)
        self.hear(SpeechEventType.END_OF_SPEECH)

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,  # noqa: ARG002 - LiveKit's
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        """Hear what is told from now on."""
        return _ScriptedStream(self, conn_options)

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> SpeechEvent:
        raise NotImplementedError("these ears only stream")


def scripted(ears: ScriptedEars, *, preemptive: bool, preemptive_tts: bool = False) -> Voices:
    """Hears what ``ears`` are told, and takes the recogniser's word for the end of a turn."""
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
    return Voices("scripted", stt=ears, turn_handling=turn_handling)


class _ScriptedStream(stt.RecognizeStream):
    _stt: ScriptedEars

    def __init__(self, ears: ScriptedEars, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=ears, conn_options=conn_options)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hear())
            async for item in self._input_ch:
                if isinstance(item, self._FlushSentinel):
                    self._event_ch.send_nowait(_event(SpeechEventType.FINAL_TRANSCRIPT, ""))

    async def _hear(self) -> None:
        async for event in self._stt.told:
            self._event_ch.send_nowait(event)


def _event(kind: SpeechEventType, words: str) -> SpeechEvent:
    return SpeechEvent(kind, alternatives=[SpeechData(language=ENGLISH, text=words, confidence=1)])
