"""espeak-ng as a LiveKit TTS.

It is a C library with global state, so one lock serialises its calls; a sentence takes a few
milliseconds. It is an optional extra because its licence is GPL-3.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import threading

import espeakng_loader
import numpy as np
import numpy.typing as npt
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, tts, utils

SAMPLE_RATE = 22_050
DEFAULT_VOICE = "en-us"
DEFAULT_WPM = 160

Samples = npt.NDArray[np.int16]

_PIECE_MS = 50
_SILENCE = 48
"""Samples up to this level (of 32767) at either end are silence: espeak's pauses and noise."""
_EDGE = SAMPLE_RATE // 200
"""Samples that are kept and faded before the first and after the last audible sample: 5 ms."""

# speak_lib.h of espeak-ng 1.52
_OUTPUT_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_UTF8 = 1
_RATE = 1
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)

_lock = threading.Lock()


def synthesize(text: str, *, voice: str = DEFAULT_VOICE, wpm: int = DEFAULT_WPM) -> Samples:
    """Convert ``text`` to mono samples at 22,050 Hz, without silence at the ends.

    It blocks for a few milliseconds and may be called from any thread. Text without anything to
    pronounce gives no samples.

    Raises:
        RuntimeError: espeak-ng does not start, or does not have the voice.
    """
    with _lock:
        return _trim(_speak(_espeak(), text.replace("\0", " "), voice, wpm))


@functools.cache
def _espeak() -> ctypes.CDLL:
    """Load and start the library once per process; the caller must hold ``_lock``."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path()
    rate = library.espeak_Initialize(_OUTPUT_SYNCHRONOUS, 0, data.encode(), _DONT_EXIT)
    if rate != SAMPLE_RATE:
        raise RuntimeError(f"espeak-ng does not start with its data in {data!r} (got {rate})")
    library.espeak_SetSynthCallback.argtypes = [_CALLBACK]
    library.espeak_SetSynthCallback.restype = None
    return library


def _speak(library: ctypes.CDLL, text: str, voice: str, wpm: int) -> Samples:
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise RuntimeError(f"espeak-ng has no voice {voice!r}")
    library.espeak_SetParameter(_RATE, wpm, 0)
    pieces: list[bytes] = []

    def keep(samples: ctypes._Pointer[ctypes.c_short], count: int, _events: object) -> int:
        if samples and count > 0:
            pieces.append(ctypes.string_at(samples, 2 * count))
        return 0

    callback = _CALLBACK(keep)
    library.espeak_SetSynthCallback(callback)
    try:
        size = ctypes.c_size_t(len(encoded := text.encode()) + 1)
        library.espeak_Synth(encoded, size, 0, 0, 0, _UTF8, None, None)
    finally:
        library.espeak_SetSynthCallback(_CALLBACK())  # espeak must not keep our callback
    return np.frombuffer(b"".join(pieces), dtype=np.int16)


def _trim(samples: Samples) -> Samples:
    """Cut the silence at both ends and fade the cuts, so that they do not click."""
    heard = np.flatnonzero(np.abs(samples.astype(np.int32)) > _SILENCE)
    if not heard.size:
        return np.zeros(0, dtype=np.int16)
    first, last = max(0, heard[0] - _EDGE), heard[-1] + 1 + _EDGE
    kept = samples[first:last].astype(np.float32)
    edge = min(_EDGE, len(kept) // 2)
    fade = np.linspace(0.0, 1.0, edge, dtype=np.float32)
    kept[:edge] *= fade
    kept[len(kept) - edge :] *= fade[::-1]
    return kept.astype(np.int16)


class EspeakTTS(tts.TTS[None]):
    """Speaks with espeak-ng: 22,050 Hz, mono, one sentence at a time.

    Args:
        voice: name of an espeak-ng voice ("en-us", "en-gb", "de").
        wpm: words per minute.
    """

    def __init__(self, *, voice: str = DEFAULT_VOICE, wpm: int = DEFAULT_WPM) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False),
            sample_rate=SAMPLE_RATE,
            num_channels=1,
        )
        self.voice = voice
        self.wpm = wpm

    @property
    def model(self) -> str:
        """The voice's name."""
        return self.voice

    @property
    def provider(self) -> str:
        """The engine's name."""
        return "espeak-ng"

    def prewarm(self) -> None:
        """Load the library now (a few milliseconds), so that the first words are not delayed."""
        synthesize("a", voice=self.voice, wpm=self.wpm)

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> EspeakStream:
        """Speak ``text``; the stream yields frames of 50 ms."""
        return EspeakStream(tts=self, input_text=text, conn_options=conn_options)


class EspeakStream(tts.ChunkedStream):
    """The synthesis of one text; ``aclose`` stops it."""

    _tts: EspeakTTS

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=SAMPLE_RATE,
            num_channels=1,
            mime_type="audio/pcm",
            frame_size_ms=_PIECE_MS,
        )
        samples = await asyncio.to_thread(
            synthesize, self._input_text, voice=self._tts.voice, wpm=self._tts.wpm
        )
        if not samples.size:  # LiveKit treats no audio as a failure and retries
            samples = np.zeros(_EDGE, dtype=np.int16)
        for start in range(0, len(samples), SAMPLE_RATE):
            output_emitter.push(samples[start : start + SAMPLE_RATE].tobytes())
            await asyncio.sleep(0)  # framing a long text would block the event loop
        output_emitter.flush()
