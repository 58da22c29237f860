"""pocketsphinx in the seat of a LiveKit STT: decodes while the caller speaks.

Each stream has a decoder process of its own (:mod:`lastword.providers.offline.sphinx_decoder` says
why). The bundled US English model with its open language model is used: no list of expected
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
    """A pocketsphinx that decodes one utterance after the other; its methods may block.

    It starts at once and loads its model (0.6 s, 100 MB) while audio already waits in its pipe.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, "-P", str(Path(sphinx_decoder.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment_without_keys(),
            start_new_session=True,  # a Ctrl-C is the worker's to answer; this one ends with it
        )

    def add(self, frame: rtc.AudioFrame) -> None:
        """Send audio at 16 kHz, mono.

        Raises:
            APIConnectionError: the process is gone.
        """
        self._send(AUDIO, frame.data.tobytes())

    def end(self) -> str:
        """End the utterance and wait for its words.

        Raises:
            APIConnectionError: the process is gone.
        """
        self._send(END)
        assert self._process.stdout is not None  # noqa: S101 - opened above
        if not (line := self._process.stdout.readline()):
            raise APIConnectionError("the pocketsphinx process ended")
        return line.decode().strip()

    def close(self) -> None:
        """Stop the process, whatever it does; twice is once."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # unsent audio to a process that is gone
                    pipe.close()

    def _send(self, kind: bytes, audio: bytes = b"") -> None:
        assert self._process.stdin is not None  # noqa: S101 - opened above
        try:
            self._process.stdin.write(HEADER.pack(kind, len(audio)) + audio)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:  # a broken pipe, a closed file
            raise APIConnectionError("the pocketsphinx process ended") from error


class SphinxSTT(stt.STT[None]):
    """Hears US English with pocketsphinx; finals only, in lower case, without punctuation.

    Args:
        vad: finds where utterances begin and end; default is LiveKit's local model.

    ``aclose`` it: it keeps a decoder ready.
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
        """Start a decoder, so that it is loaded when the call comes; returns at once."""
        if not self._ready and not self._closed:
            self._ready.append(DecoderProcess())

    def take_decoder(self) -> DecoderProcess:
        """A decoder between two utterances; blocks for some milliseconds when it must start one."""
        return self._ready.pop() if self._ready else DecoderProcess()

    def give_back(self, decoder: DecoderProcess) -> None:
        """Keep a decoder that is between two utterances for whoever comes next."""
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
        """Listen to a caller; the language is always US English."""
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
        """Stop the decoder that is kept ready; streams stop their own when they close."""
        self._closed = True
        await asyncio.to_thread(_close_all, self._ready)


class SphinxStream(stt.RecognizeStream):
    """Hears one caller: speech goes to the decoder as it is spoken, its end asks for the words."""

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
                raise error.exceptions[0] from error  # LiveKit tries again after an APIError
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
        if speaking:  # the line went dead in the middle of a word
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
