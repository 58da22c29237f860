"""Measure the offline recogniser: word errors per caller's voice, speed, latency, loop stalls.

``.venv/bin/python -m benchmarks.offline_speech [--voices rms slt] [--errors]``; needs flite.
Each line is processed as in a call: flite, 48 kHz, Opus, 20 ms frames, VAD, pocketsphinx; one
decoder for all lines of a voice. Takes about 30 s per voice, and 60 s for the real-time part.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soundfile
from livekit import rtc
from livekit.agents import stt

from lastword.providers.offline import espeak_tts
from lastword.providers.offline.sphinx_stt import SphinxSTT
from lastword.terminal import SafeConsole
from lastword.testing.stage.caller_voice import (
    FLITE_VOICE,
    SAMPLE_RATE,
    Samples,
    flite_voice,
    resample,
)

LINES = [
    "Yes, this is Anna speaking.",
    "Yes, that works for me.",
    "I need to move it to another day.",
    "Please cancel the appointment.",
    "You have the wrong number.",
    "What are your opening hours on Saturday?",
    "I'd like to leave a message.",
    "Could you put me through to the sales department?",
    "No, that is all, thank you. Goodbye.",
    "Can you call me back tomorrow morning?",
    "I am not interested, please do not call again.",
    "Hello, who is this?",
    "Could you say that again, please?",
    "Thursday afternoon would be better.",
    "I would give it a nine out of ten.",
    "Wait, one more question before you go.",
]
_FRAME_S = 0.02
_FRAME = SAMPLE_RATE // 50
_PAUSE_FRAMES = 40

Said = dict[str, list[rtc.AudioFrame]]


@dataclass
class Score:
    """The recognition results for the lines of one voice.

    ``words`` and ``wrong`` are counts, ``audio``, ``took`` and ``latencies`` seconds; ``misheard``
    has the spoken and the recognised words of each line with errors.
    """

    words: int = 0
    wrong: int = 0
    audio: float = 0.0
    took: float = 0.0
    latencies: list[float] = field(default_factory=list)
    misheard: list[tuple[str, str]] = field(default_factory=list)

    def add(self, said: str, heard: str) -> None:
        """Add the word errors of a line."""
        reference, hypothesis = _words(said), _words(heard)
        errors = edit_distance(reference, hypothesis)
        self.words += len(reference)
        self.wrong += errors
        if errors:
            self.misheard.append((said, heard))


def edit_distance(reference: list[str], hypothesis: list[str]) -> int:
    """Count the substitutions, insertions and deletions between two lists of words."""
    row = list(range(len(hypothesis) + 1))
    for i, word in enumerate(reference, 1):
        above, row = row, [i]
        for j, other in enumerate(hypothesis, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (word != other)))
    return row[-1]


def caller_audio(text: str, voice: str) -> Samples:
    """Synthesise a line, and encode and decode it with Opus at 48 kHz."""
    if voice == "espeak":
        samples, rate = espeak_tts.synthesize(text), espeak_tts.SAMPLE_RATE
    else:
        samples, rate = flite_voice("flite", text, voice)
    file = io.BytesIO()
    wide = resample(samples, rate, SAMPLE_RATE)
    soundfile.write(file, wide, SAMPLE_RATE, format="OGG", subtype="OPUS")
    file.seek(0)
    decoded: Samples = soundfile.read(file, dtype="int16")[0]
    return decoded


def frames_of(samples: Samples) -> list[rtc.AudioFrame]:
    """Cut samples into frames of 20 ms."""
    padded = np.concatenate([samples, np.zeros(-len(samples) % _FRAME, np.int16)])
    return [
        rtc.AudioFrame(padded[i : i + _FRAME].tobytes(), SAMPLE_RATE, 1, _FRAME)
        for i in range(0, len(padded), _FRAME)
    ]


async def recognise(recogniser: stt.STT[Any], said: Said, *, real_time: bool) -> Score:
    """Recognise the lines in ``said``, each followed by silence.

    ``said`` has the audio frames of each line, by its words.
    """
    score = Score()
    for line, frames in said.items():
        score.audio += _FRAME_S * len(frames)
        await _recognise_line(recogniser, line, frames, score, pace=_FRAME_S if real_time else 0.0)
    return score


async def _recognise_line(
    recogniser: stt.STT[Any],
    line: str,
    frames: list[rtc.AudioFrame],
    score: Score,
    pace: float,
) -> None:
    silence = frames_of(np.zeros(_PAUSE_FRAMES * _FRAME, np.int16))
    async with recogniser.stream() as stream, asyncio.TaskGroup() as tasks:
        transcripts = tasks.create_task(_finals(stream))
        started = time.monotonic()
        for number, frame in enumerate([*frames, *silence]):
            stream.push_frame(frame)
            await asyncio.sleep(max(0.0, started + number * pace - time.monotonic()))
        stream.end_input()
        finals = await transcripts
    if finals:
        score.took += finals[-1][0] - started
        score.latencies.append(finals[-1][0] - started - len(frames) * pace)
    score.add(line, " ".join(text for _, text in finals))


async def _finals(stream: stt.RecognizeStream) -> list[tuple[float, str]]:
    final = stt.SpeechEventType.FINAL_TRANSCRIPT
    return [
        (time.monotonic(), event.alternatives[0].text)
        async for event in stream
        if event.type is final
    ]


@asynccontextmanager
async def longest_stall() -> AsyncIterator[list[float]]:
    """Measure the longest delay (seconds) with which the loop wakes a task that sleeps 1 ms."""
    worst = [0.0]

    async def beat() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            worst[0] = max(worst[0], time.perf_counter() - before - 0.001)

    async with asyncio.TaskGroup() as tasks:
        heart = tasks.create_task(beat())
        try:
            yield worst
        finally:
            heart.cancel()


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def _report(console: SafeConsole, voice: str, score: Score, *, errors: bool) -> None:
    wrong = f"{100 * score.wrong / score.words:5.1f} % of {score.words} words wrong"
    factor = f"real-time factor {score.took / score.audio:.2f}"
    console.print(f"{voice:8} {wrong}, {factor}")
    for said, heard in score.misheard if errors else []:
        console.print(f"    {said}  ->  {heard}")


async def _measure(voices: list[str], *, errors: bool) -> None:
    console = SafeConsole()
    said = {v: {t: frames_of(caller_audio(t, v)) for t in LINES} for v in {*voices, FLITE_VOICE}}
    for voice in voices:
        async with SphinxSTT() as recogniser:
            recogniser.prewarm()
            score = await recognise(recogniser, said[voice], real_time=False)
        _report(console, voice, score, errors=errors)
    async with SphinxSTT() as recogniser:
        recogniser.prewarm()
        async with longest_stall() as stall:
            score = await recognise(recogniser, said[FLITE_VOICE], real_time=True)
    late = sorted(score.latencies)
    console.print(
        f"in real time, voice {FLITE_VOICE}, {len(late)} of {len(LINES)} lines recognised:"
    )
    _report(console, FLITE_VOICE, score, errors=errors)
    console.print(f"end of audio to final text: median {late[len(late) // 2]:.2f} s, ")
    console.print(f"  longest {late[-1]:.2f} s; longest stall of the loop {1000 * stall[0]:.1f} ms")


def main() -> None:
    """Run the benchmark; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voices", nargs="+", default=["rms", "slt", "awb", "kal16", "espeak"])
    parser.add_argument(
        "--errors", action="store_true", help="show the lines with recognition errors"
    )
    arguments = parser.parse_args()
    if shutil.which("flite") is None:
        raise SystemExit("flite is not installed: install it, this benchmark measures its voices")
    asyncio.run(_measure(arguments.voices, errors=arguments.errors))


if __name__ == "__main__":
    main()
