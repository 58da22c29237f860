"""The offline set speaks, hears and never stops the event loop; callers have a voice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
import soundfile
from livekit import rtc
from livekit.agents import APIConnectionError, stt

from lastword.errors import ScriptError
from lastword.providers.offline.espeak_tts import EspeakTTS, synthesize
from lastword.providers.offline.sphinx_decoder import words_only
from lastword.providers.offline.sphinx_stt import DecoderProcess, SphinxSTT
from lastword.providers.turn_taking import local_turn_detector, local_vad
from lastword.testing.stage.caller_voice import FLITE_VOICE, SAMPLE_RATE, recording, speak
from lastword.tools.rehearsal.render_lines import read_lines
from tests import PROJECT_ROOT

RECORDED = PROJECT_ROOT / "graphs/callers/lines"
SENTENCE = "Your appointment is on Tuesday at nine."
LINES = {
    "Yes, that works for me.": "yes that works for me",
    "Please cancel the appointment.": "please cancel the appointment",
    "You have the wrong number.": "you have the wrong number",
    "Could you say that again, please?": "could you say that again please",
}
FRAME = SAMPLE_RATE // 50
STALL_S = 0.2
ROUNDS = 4
"""What holds the event loop up does so every time; a busy machine does so now and then."""


@pytest.fixture(scope="module")
def ears() -> Iterator[SphinxSTT]:
    ears = SphinxSTT()
    ears.prewarm()
    yield ears
    asyncio.run(ears.aclose())


@asynccontextmanager
async def heartbeat() -> AsyncIterator[list[float]]:
    """Keep the times between two beats of the event loop, in seconds."""
    loop, gaps, last, beating = asyncio.get_running_loop(), [0.0], perf_counter(), True

    def beat() -> None:
        nonlocal last
        gaps.append(perf_counter() - last)
        last = perf_counter()
        if beating:
            loop.call_later(0.001, beat)

    beat()
    try:
        yield gaps
    finally:
        beating = False


async def stall(work: Callable[[], Awaitable[object]]) -> float:
    """Seconds for which ``work`` holds the event loop up, at the least."""
    longest = []
    for _ in range(ROUNDS):
        async with heartbeat() as gaps:
            await work()
        longest.append(max(gaps))
        if longest[-1] < STALL_S:
            break
    return min(longest)


def in_frames(samples: np.ndarray) -> list[rtc.AudioFrame]:
    silence = np.zeros(SAMPLE_RATE // 2, dtype=np.int16)
    heard = np.concatenate([silence, samples, silence])
    pieces = [heard[i : i + FRAME] for i in range(0, len(heard), FRAME)]
    return [rtc.AudioFrame(p.tobytes(), SAMPLE_RATE, 1, len(p)) for p in pieces]


async def hear(ears: SphinxSTT, frames: list[rtc.AudioFrame]) -> list[stt.SpeechEvent]:
    async with ears.stream() as stream:
        for frame in frames:
            stream.push_frame(frame)
        stream.end_input()
        return [event async for event in stream]


def words_of(events: list[stt.SpeechEvent]) -> str:
    return " ".join(event.alternatives[0].text for event in events if event.alternatives)


def test_speech_has_the_length_and_loudness_of_speech() -> None:
    samples = synthesize(SENTENCE)
    assert 1.5 < len(samples) / 22_050 < 3.5
    assert 8_000 < np.abs(samples.astype(int)).max() < 32_767


def test_speech_starts_and_ends_with_sound_and_without_a_click() -> None:
    loud = np.flatnonzero(np.abs(synthesize(SENTENCE).astype(int)) > 48)
    samples = synthesize(SENTENCE)
    assert loud[0] < 0.02 * 22_050
    assert len(samples) - loud[-1] < 0.02 * 22_050
    assert abs(int(samples[0])) < 48
    assert abs(int(samples[-1])) < 48


def test_a_higher_pace_is_shorter() -> None:
    assert len(synthesize(SENTENCE, wpm=250)) < 0.8 * len(synthesize(SENTENCE, wpm=150))


@pytest.mark.parametrize("text", ["", "...", " \n", "\0"])
def test_text_without_words_gives_no_samples(text: str) -> None:
    assert synthesize(text).size == 0


def test_an_unknown_voice_is_named() -> None:
    with pytest.raises(RuntimeError, match="'klingon-x'"):
        synthesize(SENTENCE, voice="klingon-x")


async def test_the_tts_gives_all_of_the_speech_in_small_pieces() -> None:
    async with EspeakTTS() as tts, tts.synthesize(SENTENCE) as stream:
        frames = [audio.frame async for audio in stream]
    spoken = sum(frame.duration for frame in frames)  # espeak is not alike to the sample
    assert spoken == pytest.approx(len(synthesize(SENTENCE)) / 22_050, abs=0.02)
    assert max(frame.duration for frame in frames) <= 0.1


async def test_the_tts_is_no_failure_when_nothing_can_be_pronounced() -> None:
    async with EspeakTTS() as tts, tts.synthesize("...") as stream:
        assert sum([audio.frame.duration async for audio in stream]) < 0.05


async def test_speech_that_is_cancelled_ends_at_once() -> None:
    async with EspeakTTS() as tts:
        stream = tts.synthesize(SENTENCE * 20)
        await anext(stream)
        await stream.aclose()
        assert stream.done


async def test_speaking_does_not_block_the_event_loop() -> None:
    synthesize("a")
    long = " ".join([SENTENCE] * 60)

    async def speaks() -> None:
        assert (await asyncio.to_thread(synthesize, long)).size
        async with EspeakTTS() as tts, tts.synthesize(long) as stream:
            await anext(stream)

    assert await stall(speaks) < STALL_S


@pytest.mark.parametrize(("line", "words"), LINES.items())
async def test_a_recorded_line_is_heard(ears: SphinxSTT, line: str, words: str) -> None:
    events = await hear(ears, in_frames(speak(line, lines=RECORDED).samples))
    assert words_of(events) == words
    assert events[0].type is stt.SpeechEventType.START_OF_SPEECH


async def test_hearing_does_not_block_the_event_loop(ears: SphinxSTT) -> None:
    frames = in_frames(speak("Could you say that again, please?", lines=RECORDED).samples)
    assert await stall(lambda: hear(ears, frames)) < STALL_S


async def test_a_whole_recording_is_heard_at_once(ears: SphinxSTT) -> None:
    event = await ears.recognize(
        in_frames(speak("You have the wrong number.", lines=RECORDED).samples)
    )
    assert words_of([event]) == "you have the wrong number"


async def test_silence_has_no_words(ears: SphinxSTT) -> None:
    silence = in_frames(np.zeros(SAMPLE_RATE, dtype=np.int16))
    assert await hear(ears, silence) == []
    assert words_of([await ears.recognize(silence)]) == ""


@pytest.mark.parametrize(
    ("hypothesis", "words"),
    [
        ("<s> Hello the(2) [NOISE] world ++UH++ </s>", "hello the world"),
        ("<sil> <sil>", ""),
        ("i'd like", "i'd like"),
    ],
)
def test_fillers_are_no_words(hypothesis: str, words: str) -> None:
    assert words_only(hypothesis) == words


def test_a_decoder_that_is_gone_is_an_error_that_livekit_retries() -> None:
    decoder = DecoderProcess()
    decoder.close()
    with pytest.raises(APIConnectionError):
        decoder.end()


def test_a_recorded_line_comes_from_its_file(tmp_path: Path) -> None:
    write_tone(recording("Hello there!", tmp_path), seconds=0.5)
    line = speak("hello, THERE", lines=tmp_path, flite=None)
    assert line.source == "recorded"
    assert line.duration == pytest.approx(0.5, abs=0.01)


def test_a_line_that_is_not_recorded_is_spoken_by_flite(tmp_path: Path) -> None:
    write_tone(tmp_path / "said.wav", seconds=0.3)
    flite = tmp_path / "flite"
    flite.write_text(f'#!/bin/sh\n[ "$2" = {FLITE_VOICE} ] && cp {tmp_path}/said.wav "$6"\n')
    flite.chmod(0o700)
    line = speak("Hello", lines=tmp_path, flite=str(flite))
    assert line.source == "flite"
    assert line.duration == pytest.approx(0.3, abs=0.02)


def test_without_flite_espeak_speaks_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        line = speak("Hello", lines=tmp_path, flite=str(tmp_path / "none"))
    assert line.source == "espeak"
    assert 0.2 < line.duration < 1.0
    assert "misheard" in caplog.text


def test_recordings_are_named_by_their_words() -> None:
    assert recording("Yes, that works!", RECORDED) == recording("yes that  works", RECORDED)
    assert recording("Yes, that works!", RECORDED) != recording("Yes, that worked!", RECORDED)
    assert recording("Yes, that works!", RECORDED).name.startswith("yes-that-works-")


def test_lines_are_read_from_scripts_and_text_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("turns:\n  - caller: Hello.\n")
    (tmp_path / "b.txt").write_text("One.\n\nTwo.\n")
    assert read_lines(tmp_path / "a.yaml") == ["Hello."]
    assert read_lines(tmp_path / "b.txt") == ["One.", "Two."]
    with pytest.raises(ScriptError, match="none.txt"):
        read_lines(tmp_path / "none.txt")


@pytest.mark.parametrize("keys", [{}, {"LIVEKIT_DEV_MODE": "1", "LIVEKIT_API_KEY": "k"}])
async def test_turns_are_found_on_this_machine(
    keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**keys, "LIVEKIT_API_SECRET": "s"}.items():
        monkeypatch.setenv(name, value)
    assert local_turn_detector().model == "turn-detector-v1-mini"
    assert local_vad().model == "silero"


def write_tone(path: Path, *, seconds: float) -> None:
    times = np.arange(int(16_000 * seconds)) / 16_000
    tone = (9_000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)
    soundfile.write(path, tone, 16_000)
