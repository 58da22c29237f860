"""A fake TTS, audio output and text output; the test decides what is played, and when."""

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


class FakeTTS(tts.TTS[Any]):
    """A TTS that speaks each word as 0.1 s of silence; ``texts`` has the texts it was given."""

    def __init__(self) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False), sample_rate=RATE, num_channels=1
        )
        self.texts: list[str] = []

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """Speak ``text``."""
        self.texts.append(text)
        return _Silence(tts=self, input_text=text, conn_options=conn_options)


class _Silence(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id="silence", sample_rate=RATE, num_channels=1, mime_type="audio/pcm"
        )
        words = len(self.input_text.split())
        output_emitter.push(bytes(2 * int(RATE * WORD_SECONDS) * words))


class FakeAudioOutput(io.AudioOutput):
    """An audio output that plays each segment at once, or holds it while ``hold`` is set.

    ``captured`` is set when a held segment is complete; it then waits for ``play`` or ``release``.
    If it is interrupted before, ``played_text`` is reported as the text that was played.
    """

    def __init__(self) -> None:
        super().__init__(
            label="fake",
            capabilities=io.AudioOutputCapabilities(pause=False),
            sample_rate=RATE,
        )
        self.hold = False
        self.played_text = ""
        self.captured = asyncio.Event()
        self._seconds = 0.0
        self._segment_open = False

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Take a frame of the segment."""
        await super().capture_frame(frame)
        if not self._segment_open:
            self._segment_open = True
            self.on_playback_started(created_at=time.time())  # noqa: TID251 - LiveKit's clock
        self._seconds += frame.duration

    def flush(self) -> None:
        """End the segment, and play it unless ``hold`` is set."""
        super().flush()
        if self._segment_open:
            self.captured.set()
            if not self.hold:
                self.play()

    def clear_buffer(self) -> None:
        """Report the open segment as interrupted."""
        if self._segment_open:
            self._finish(interrupted=True, transcript=self.played_text)

    def release(self) -> None:
        """Clear ``hold``, and play the held segment."""
        self.hold = False
        if self.captured.is_set():
            self.play()

    def play(self) -> None:
        """Play the captured segment to its end."""
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


class FakeTextOutput(io.TextOutput):
    """A text output that keeps the agent's words of one turn in ``text``, as they arrive."""

    def __init__(self) -> None:
        super().__init__(label="fake", next_in_chain=None)
        self.text = ""
        self._changed = asyncio.Event()

    async def capture_text(self, text: str) -> None:
        """Append to ``text``."""
        self.text += text
        self._changed.set()

    def flush(self) -> None:
        """End the segment; ``text`` stays."""

    def clear(self) -> None:
        """Empty ``text`` for a new turn."""
        self.text = ""

    async def until(self, letters: str) -> None:
        """Wait until ``text`` without white space equals ``letters``."""
        while "".join(self.text.split()) != letters:
            self._changed.clear()
            await self._changed.wait()
