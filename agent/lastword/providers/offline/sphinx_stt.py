"""pocketsphinx as a LiveKit STT: it decodes while the caller speaks.

Each stream has its own decoder process (:mod:`lastword.providers.offline.sphinx_decoder` gives the
reason). It uses the bundled US English model with its open language model, not a list of expected
sentences.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import weakref
from datetime import UTC, datetime
from pathlib import Path

from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectionError,
    APIConnectOptions,
    NotGivenOr,
    stt,
    utils,
    vad,
)
from livekit.agents.language import LanguageCode

from lastword.providers.offline import sphinx_decoder
from lastword.providers.offline.sphinx_decoder import AUDIO, END, HEADER, SAMPLE_RATE
from lastword.providers.turn_taking import local_vad
from lastword.settings import environment_without_keys

_LANGUAGE = LanguageCode("en-US")


class DecoderProcess:
    """A pocketsphinx process that decodes one utterance after another; the methods may block.

    It starts at once and loads its model (0.6 s, 100 MB) while audio may already wait in the pipe.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - a file of this package
            [sys.executable, "-P", str(Path(sphinx_decoder.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment_without_keys(),
            start_new_session=True,  # the worker handles Ctrl-C; this process exits after it
        )

    def add(self, frame: rtc.AudioFrame) -> None:
        """Send audio at 16 kHz, mono.

        Raises:
            APIConnectionError: the process has exited.
        """
        self._send(AUDIO, frame.data.tobytes())

    def end(self) -> str:
        """End the utterance and wait for its words.

        Raises:
            APIConnectionError: the process has exited.
        """
        self._send(END)
        assert self._process.stdout is not None  # noqa: S101 - opened above
        if not (line := self._process.stdout.readline()):
            raise APIConnectionError("the pocketsphinx process ended")
        return line.decode().strip()

    def close(self) -> None:
        """Kill the process; may be called more than once."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # unsent audio for a process that has exited
                    pipe.close()

    def _send(self, kind: bytes, audio: bytes = b"") -> None:
        assert self._process.stdin is not None  # noqa: S101 - opened above
        try:
            self._process.stdin.write(HEADER.pack(kind, len(audio)) + audio)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:  # a broken pipe, a closed file
            raise APIConnectionError("the pocketsphinx process ended") from error


class SphinxSTT(stt.STT[None]):
    """Recognises US English with pocketsphinx; final transcripts only, lower case, no punctuation.

    It keeps a decoder process ready; ``aclose`` stops it.

    Args:
        vad: finds the start and end of utterances; default: LiveKit's local model.
    """

    def __init__(self, *, vad: vad.VAD | None = None) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))
        self._vad = vad or local_vad()
        self._ready: list[DecoderProcess] = []
        self._closed = False
        weakref.finalize(self, _close_all, self._ready)

    @property
    def model(self) -> str:
        """The bundled acoustic model's name."""
        return "en-us"

    @property
    def provider(self) -> str:
        """The engine's name."""
        return "pocketsphinx"

    def prewarm(self) -> None:
        """Start a decoder before the call, so that it is loaded in time; returns at once."""
        if not self._ready and not self._closed:
            self._ready.append(DecoderProcess())

    def take_decoder(self) -> DecoderProcess:
        """Take an idle decoder, or start one, which blocks for a few milliseconds."""
        return self._ready.pop() if self._ready else DecoderProcess()

    def give_back(self, decoder: DecoderProcess) -> None:
        """Return an idle decoder, to be kept for the next stream."""
        if self._closed or self._ready:
            decoder.close()
        else:
            self._ready.append(decoder)

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,  # noqa: ARG002 - one language
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> SphinxStream:
        """Recognise one caller's speech; the language is always US English."""
        return SphinxStream(self, self._vad, conn_options)

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,  # noqa: ARG002 - one language
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,  # noqa: ARG002 - no network
    ) -> stt.SpeechEvent:
        frame = _at_16_khz(utils.merge_frames(buffer))
        decoder = self.take_decoder()
        try:
            await asyncio.to_thread(decoder.add, frame)
            text = await asyncio.to_thread(decoder.end)
        except BaseException:
            decoder.close()
            raise
        self.give_back(decoder)
        return _final(text)

    async def aclose(self) -> None:
        """Stop the idle decoder; streams stop their own decoders when they close."""
        self._closed = True
        await asyncio.to_thread(_close_all, self._ready)


class SphinxStream(stt.RecognizeStream):
    """Recognises one caller: sends speech to the decoder as it arrives, then reads its words."""

    _stt: SphinxSTT

    def __init__(self, stt: SphinxSTT, vad: vad.VAD, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=stt, conn_options=conn_options, sample_rate=SAMPLE_RATE)
        self._vad = vad

    async def _run(self) -> None:
        decoder = self._stt.take_decoder()
        voice = self._vad.stream()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(voice))
                await self._decode(voice, decoder)
        except BaseException as error:
            decoder.close()
            if isinstance(error, BaseExceptionGroup):
                raise error.exceptions[0] from error  # LiveKit retries after an APIError
            raise
        finally:
            await voice.aclose()
        self._stt.give_back(decoder)

    async def _listen(self, voice: vad.VADStream) -> None:
        async for item in self._input_ch:
            if isinstance(item, rtc.AudioFrame):
                voice.push_frame(item)
        voice.end_input()

    async def _decode(self, voice: vad.VADStream, decoder: DecoderProcess) -> None:
        speaking, heard = False, 0.0
        async for event in voice:
            match event.type:
                case vad.VADEventType.START_OF_SPEECH:
                    speaking, heard = True, 0.0
                    self._event_ch.send_nowait(stt.SpeechEvent(stt.SpeechEventType.START_OF_SPEECH))
                case vad.VADEventType.END_OF_SPEECH:
                    speaking = False
                    await self._finish(decoder, event, heard)
                    continue
            if speaking:
                for frame in event.frames:
                    heard += frame.duration
                    await asyncio.to_thread(decoder.add, frame)
        if speaking:  # the audio ended during speech
            self._tell(await asyncio.to_thread(decoder.end), heard)

    async def _finish(self, decoder: DecoderProcess, event: vad.VADEvent, heard: float) -> None:
        silence = event.silence_duration + event.inference_duration
        ended_at = datetime.now(UTC).timestamp() - silence
        self._event_ch.send_nowait(
            stt.SpeechEvent(stt.SpeechEventType.END_OF_SPEECH, speech_end_time=ended_at)
        )
        self._tell(await asyncio.to_thread(decoder.end), heard, ended_at)

    def _tell(self, text: str, heard: float, ended_at: float | None = None) -> None:
        usage = stt.RecognitionUsage(audio_duration=heard)
        self._event_ch.send_nowait(
            stt.SpeechEvent(stt.SpeechEventType.RECOGNITION_USAGE, recognition_usage=usage)
        )
        if text:
            self._event_ch.send_nowait(_final(text, ended_at))


def _final(text: str, ended_at: float | None = None) -> stt.SpeechEvent:
    return stt.SpeechEvent(
        stt.SpeechEventType.FINAL_TRANSCRIPT,
        request_id=utils.shortuuid(),
        alternatives=[stt.SpeechData(language=_LANGUAGE, text=text)],
        speech_end_time=ended_at,
    )


def _at_16_khz(frame: rtc.AudioFrame) -> rtc.AudioFrame:
    if frame.sample_rate == SAMPLE_RATE and frame.num_channels == 1:
        return frame
    resampler = rtc.AudioResampler(frame.sample_rate, SAMPLE_RATE, num_channels=frame.num_channels)
    return rtc.combine_audio_frames([*resampler.push(frame), *resampler.flush()])


def _close_all(decoders: list[DecoderProcess]) -> None:
    while decoders:
        decoders.pop().close()
