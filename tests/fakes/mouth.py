"""TTS voices that fail, or that speak every word as soon as it arrives."""

from __future__ import annotations

from typing import Any

from livekit.agents import APIConnectionError, APIConnectOptions, tts
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS

from lastword.testing.fakes.audio_output import RATE, FakeTTS

LETTER_SECONDS = 0.02


class HoarseVoice(FakeTTS):
    """A voice that always fails and is not retried."""

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return _Hoarse(tts=self, input_text=text, conn_options=APIConnectOptions(max_retry=0))


class _Hoarse(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        raise APIConnectionError("there is no voice")


class WordVoice(tts.TTS[Any]):
    """Speaks its input as soon as it arrives, as 0.02 s of silence for each letter."""

    def __init__(self) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True), sample_rate=RATE, num_channels=1
        )

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        raise NotImplementedError("words are spoken as they come")

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.SynthesizeStream:
        return _Words(tts=self, conn_options=conn_options)


class _Words(tts.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id="words", sample_rate=RATE, num_channels=1, mime_type="audio/pcm", stream=True
        )
        output_emitter.start_segment(segment_id="words")
        async for words in self._input_ch:
            if isinstance(words, str):
                output_emitter.push(bytes(2 * int(RATE * LETTER_SECONDS) * len(words)))
                output_emitter.flush()
