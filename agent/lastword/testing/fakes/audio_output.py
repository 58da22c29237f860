"""A voice and a loudspeaker without sound: whoever conducts the call says when words are played."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from livekit import rtc
from livekit.agents import APIConnectOptions, tts
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice import io

RATE = 16_000
WORD_SECONDS = 0.1


class SilentVoice(tts.TTS[Any]):
    """Speaks each word as a tenth of a second of silence; keeps the texts it was given."""

    def __init__(self) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False), sample_rate=RATE, num_channels=1
        )
        self.read: list[str] = []

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """Speak ``text``."""
        self.read.append(text)
        return _Silence(tts=self, input_text=text, conn_options=conn_options)


class _Silence(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id="silence", sample_rate=RATE, num_channels=1, mime_type="audio/pcm"
        )
        words = len(self.input_text.split())
        output_emitter.push(bytes(2 * int(RATE * WORD_SECONDS) * words))


class Mouth(io.AudioOutput):
    """Implements LiveKit's audio output; plays each segment at once, or holds it.

    While ``hold`` is set, a segment is played when somebody calls ``play``; an interruption
    before that is reported with the text in ``heard`` as what was played.
    """

    def __init__(self) -> None:
        super().__init__(
            label="mouth",
            capabilities=io.AudioOutputCapabilities(pause=False),
            sample_rate=RATE,
        )
        self.hold = False
        self.heard = ""
        self.captured = asyncio.Event()
        self._seconds = 0.0
        self._segment_open = False

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Take sound to play."""
        await super().capture_frame(frame)
        if not self._segment_open:
            self._segment_open = True
            self.on_playback_started(created_at=time.time())  # noqa: TID251 - LiveKit's clock
        self._seconds += frame.duration

    def flush(self) -> None:
        """A segment is complete."""
        super().flush()
        if self._segment_open:
            self.captured.set()
            if not self.hold:
                self.play()

    def clear_buffer(self) -> None:
        """What has not been played is not to be played."""
        if self._segment_open:
            self._finish(interrupted=True, transcript=self.heard)

    def release(self) -> None:
        """Hold nothing any more, neither what was captured nor what comes."""
        self.hold = False
        if self.captured.is_set():
            self.play()

    def play(self) -> None:
        """Play what was captured to its end."""
        self._finish(interrupted=False, transcript=None)

    def _finish(self, *, interrupted: bool, transcript: str | None) -> None:
        self._segment_open = False
        self.captured.clear()
        seconds, self._seconds = self._seconds, 0.0
        self.on_playback_finished(
            playback_position=0.0 if interrupted else seconds,
            interrupted=interrupted,
            synchronized_transcript=transcript,
        )


class Subtitles(io.TextOutput):
    """Implements LiveKit's text output: the words of the agent's turn, as they are passed on."""

    def __init__(self) -> None:
        super().__init__(label="subtitles", next_in_chain=None)
        self.text = ""
        self._changed = asyncio.Event()

    async def capture_text(self, text: str) -> None:
        """Take words."""
        self.text += text
        self._changed.set()

    def flush(self) -> None:
        """A segment is over; what has been read stays readable."""

    def wipe(self) -> None:
        """Begin a new turn."""
        self.text = ""

    async def until(self, letters: str) -> None:
        """Wait until ``letters`` have been passed on, white space aside."""
        while "".join(self.text.split()) != letters:
            self._changed.clear()
            await self._changed.wait()
