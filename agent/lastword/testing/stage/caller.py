"""The simulated caller, a separate process: ``python -m lastword.testing.stage.caller``.

It reads its job, one line of JSON (the fields of ``CallerJob``), from standard input, joins the
room, and writes events as lines of JSON to standard output. Each has ``event`` and ``t``, the time
on ``time.monotonic()``, which all processes of a machine share. An event is written as soon as it
is certain, so ``t`` may be earlier than that of the line before.

===========================  =========================================================
event                        further fields
===========================  =========================================================
``joined``                   ``room``, ``identity``
``agent_track``              ``identity``, ``track``: the caller hears this track now
``agent_speaking_started``   judged by the energy of the received audio
``agent_speaking_stopped``   ``t`` is the last voiced sample; written 0.8 s after it
``agent_text``               ``text``, ``segment``: the words of a complete utterance
``line_started``             ``line`` (from 0), ``text``, ``source``, ``repeated``; ``text`` is
                             "" for key presses and for hanging up
``line_finished``            ``line``, ``text``, ``source``, ``repeated``
``last_voiced_sample``       ``t`` is the last voiced sample received in the call
``disconnected``             ``reason``: name of LiveKit's ``DisconnectReason``
``finished``                 ``reason``, ``seconds`` in the call, ``recording``, and
                             ``line_gone_after``: seconds from the last voiced sample to
                             the disconnection; null when nothing was heard
===========================  =========================================================

The exit code is 0 when either side hung up; else 1, after one sentence on standard error.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from livekit import rtc
from livekit.rtc.participant import PublishTrackError

from lastword.errors import CallFailed, LastwordError
from lastword.terminal import print_error
from lastword.testing.stage.call_recording import RATE, CallRecording, Samples
from lastword.testing.stage.caller_job import (
    NOTHING,
    CallerJob,
    CallerLine,
    Emit,
    SpokenLine,
    load_voice,
    read_job,
)
from lastword.testing.stage.caller_turns import FRAME_S, AgentVoice, CallerTurns, Change
from lastword.untrusted.patterns import SlowPattern
from lastword.untrusted.printable import public_url

TRANSCRIPTION = "lk.transcription"
KEYS = "0123456789*#ABCD"
"""DTMF keys in the order of their codes (RFC 4733, section 3.2)."""

_FRAME = round(RATE * FRAME_S)
_QUEUE_MS = 60  # of audio sent ahead: this process may be late by this much without a gap
_DRAIN_S = 0.5  # to read what was received before the disconnection


@dataclass(frozen=True)
class _Track:
    track: rtc.RemoteAudioTrack
    identity: str


@dataclass(frozen=True)
class _Text:
    reader: rtc.TextStreamReader


@dataclass(frozen=True)
class _Gone:
    t: float
    reason: str


@dataclass(frozen=True)
class _Broken:
    why: str


class Caller:
    """One call, from joining the room to the disconnection.

    Args:
        job: what the caller does.
        spoken: the sound of the lines, in their order, then that of the break-ins.
        emit: called with every event.
    """

    def __init__(self, job: CallerJob, spoken: Sequence[SpokenLine], emit: Emit) -> None:
        self._job = job
        self._spoken = spoken
        self._emit = emit
        self._turns = CallerTurns(job.lines, job.repeat_pattern)
        self._room = rtc.Room()
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=_QUEUE_MS)
        self._inbox: asyncio.Queue[_Track | _Text | _Gone | _Broken] = asyncio.Queue()
        self._line_gone = asyncio.Event()
        self._voices: list[AgentVoice] = []
        self._texts = [*(one.say for one in job.lines), *(one.text for one in job.break_ins)]
        self._break_ins = list(enumerate(job.break_ins, len(job.lines)))
        self._due: list[tuple[float, int]] = []
        self._speeches = 0
        self._next_line: int | None = None
        self._said = -1

    async def run(self) -> None:
        """Run the call to its end; the recording is written in any case.

        Raises:
            CallFailed: there is no connection, or the call lasted longer than the job allows.
        """
        self._take_events()
        try:
            await self._join()
            await self._call()
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_S):
                    await self._room.disconnect()
            await self._source.aclose()

    def _take_events(self) -> None:
        """Register LiveKit's callbacks, which only put events into the inbox."""

        def subscribed(
            track: rtc.Track, _: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
        ) -> None:
            if isinstance(track, rtc.RemoteAudioTrack):
                self._inbox.put_nowait(_Track(track, participant.identity))

        def disconnected(reason: rtc.DisconnectReason.ValueType) -> None:
            name = rtc.DisconnectReason.Name(reason)
            self._inbox.put_nowait(_Gone(time.monotonic(), name))
            self._line_gone.set()

        def text(reader: rtc.TextStreamReader, identity: str) -> None:
            if identity == self._room.local_participant.identity:
                reader.close()  # the transcription of the caller's own words
            else:
                self._inbox.put_nowait(_Text(reader))

        self._room.on("track_subscribed", subscribed)
        self._room.on("disconnected", disconnected)
        self._room.register_text_stream_handler(TRANSCRIPTION, text)

    async def _join(self) -> None:
        try:
            await self._room.connect(self._job.url, self._job.token)
        except rtc.ConnectError as error:
            raise CallFailed(
                f"the caller cannot join at {public_url(self._job.url)}: {error}"
            ) from error
        identity = self._room.local_participant.identity
        self._emit("joined", time.monotonic(), room=self._room.name, identity=identity)

    async def _call(self) -> None:
        began = time.monotonic()
        recording = CallRecording(began)
        gone: _Gone | None = None
        try:
            async with asyncio.timeout(self._job.max_seconds):
                match await self._talk(recording):
                    case _Broken(why):
                        raise CallFailed(why)
                    case _Gone() as gone:
                        pass
        except TimeoutError:
            raise CallFailed(
                f"the call was still up after {self._job.max_seconds:g} s, so the caller left it"
            ) from None
        finally:
            self._finish(recording, began, gone)

    async def _publish(self) -> bool:
        """Publish the voice; returns False if that failed or the call ended before."""
        track = rtc.LocalAudioTrack.create_audio_track("caller", self._source)
        microphone = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        try:
            await self._room.local_participant.publish_track(track, microphone)
        except PublishTrackError as error:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._line_gone.wait(), _DRAIN_S)
            if not self._line_gone.is_set():
                self._inbox.put_nowait(_Broken(f"the caller cannot be heard: {error}"))
            return False
        return True

    async def _talk(self, recording: CallRecording) -> _Gone | _Broken:
        """Listen and speak until the call is over or broken."""
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._speak(recording))]
            while True:
                match await self._inbox.get():
                    case _Gone() | _Broken() as end:
                        break
                    case _Track() as track:
                        running.append(
                            tasks.create_task(self._listen(self._hear(track, recording)))
                        )
                    case _Text(reader):
                        running.append(tasks.create_task(self._listen(self._read(reader))))
            await asyncio.wait(running, timeout=_DRAIN_S)
            for task in running:
                task.cancel()
        return end

    async def _listen(self, agent: Coroutine[Any, Any, None]) -> None:
        """Hear or read the agent; a ``repeat_pattern`` that is too slow breaks the call."""
        try:
            await agent
        except SlowPattern as error:
            self._inbox.put_nowait(
                _Broken(f"the caller cannot tell whether it is asked to repeat: {error}")
            )

    async def _speak(self, recording: CallRecording) -> None:
        """Send frames of 10 ms, silence or words; the audio source sets the pace."""
        if not await self._publish():
            return
        silence = np.zeros(_FRAME, np.int16)
        words: Iterator[Samples] = iter(())
        line: dict[str, Any] | None = None
        while not self._line_gone.is_set():
            plays = time.monotonic() + self._source.queued_duration
            frame = next(words, None)
            if frame is None and line is not None:
                self._emit("line_finished", plays, **line)
                self._turns.finished(agent_speaking=any(voice.speaking for voice in self._voices))
                line = None
            self._break_in(plays)
            if line is None and self._next_line is not None:
                line, words = self._begin(self._next_line)
                self._emit("line_started", plays, **line)
                await self._act(line["line"])
                frame = next(words, None)
            frame = silence if frame is None else frame
            await self._source.capture_frame(rtc.AudioFrame(frame.tobytes(), RATE, 1, _FRAME))
            recording.caller.add(frame, plays + FRAME_S)

    async def _act(self, number: int) -> None:
        """Hang up or press keys, if the line says so."""
        line = self._job.lines[number] if number < len(self._job.lines) else CallerLine()
        if line.does == "hang_up":
            self._inbox.put_nowait(_Gone(time.monotonic(), "CLIENT_INITIATED"))
            self._line_gone.set()
        for key in line.keys:
            participant = self._room.local_participant
            await participant.publish_dtmf(code=KEYS.index(key), digit=key)

    def _break_in(self, now: float) -> None:
        """Speak next a break-in that is due at ``now``."""
        for at, number in self._due:
            if at <= now:
                self._next_line = number
                self._turns.broke_in()
        self._due = [(at, number) for at, number in self._due if at > now]

    def _begin(self, number: int) -> tuple[dict[str, Any], Iterator[Samples]]:
        spoken = self._spoken[number]
        fields = {
            "line": number,
            "text": self._texts[number],
            "source": spoken.source,
            "repeated": number < len(self._job.lines) and number <= self._said,
        }
        self._next_line = None
        if number < len(self._job.lines):
            self._said = number
        padded = np.concatenate([spoken.samples, np.zeros(-len(spoken.samples) % _FRAME, np.int16)])
        return fields, iter(padded.reshape(-1, _FRAME))

    async def _hear(self, arrived: _Track, recording: CallRecording) -> None:
        track = arrived.track
        self._emit("agent_track", time.monotonic(), identity=arrived.identity, track=track.sid)
        side, voice = recording.received(track.sid), AgentVoice()
        self._voices.append(voice)
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
        try:
            async for event in stream:
                now = time.monotonic()
                frame = np.array(event.frame.data, np.int16)
                side.add(frame, now)
                self._agent(voice, voice.hear(frame, now))
            self._agent(voice, voice.ended())
        finally:
            await stream.aclose()

    def _agent(self, voice: AgentVoice, change: Change | None) -> None:
        match change:
            case "started":
                self._emit("agent_speaking_started", voice.started)
                self._turns.agent_started()
                self._speeches += 1
                self._due += [
                    (voice.started + one.after, number)
                    for number, one in self._break_ins
                    if one.speech == self._speeches
                ]
            case "stopped":
                self._emit("agent_speaking_stopped", voice.last_voiced or voice.started)
                if not any(other.speaking for other in self._voices):
                    line = self._turns.agent_stopped()
                    self._next_line = self._next_line if line is None else line

    async def _read(self, reader: rtc.TextStreamReader) -> None:
        segment = (reader.info.attributes or {}).get("lk.segment_id", reader.info.stream_id)
        words = ""
        try:
            with suppress(rtc.StreamError):  # the call ended in mid-utterance
                async for more in reader:
                    words += more
                    line = self._turns.agent_said(segment, words)
                    self._next_line = self._next_line if line is None else line
        finally:
            self._emit("agent_text", time.monotonic(), text=words, segment=segment)
            line = self._turns.agent_finished(segment)
            self._next_line = self._next_line if line is None else line

    def _finish(self, recording: CallRecording, began: float, gone: _Gone | None) -> None:
        """Report the end and write the recording; ``gone`` is None if the caller gave up."""
        end = gone.t if gone else time.monotonic()
        times = [voice.last_voiced for voice in self._voices if voice.last_voiced is not None]
        last = min(max(times), end) if times else None
        if gone:
            self._emit("disconnected", gone.t, reason=gone.reason)
        if last is not None:
            self._emit("last_voiced_sample", last)
        if self._job.recording:
            recording.write(Path(self._job.recording), end)
        self._emit(
            "finished",
            end,
            reason=gone.reason if gone else None,
            seconds=round(end - began, 4),
            recording=self._job.recording,
            line_gone_after=round(end - last, 4) if gone and last is not None else None,
        )


async def call(job: CallerJob, emit: Emit) -> None:
    """Synthesise the lines, then run the call; SIGTERM ends it after writing the recording.

    Raises:
        CallFailed: the caller failed; the message is one sentence.
    """
    voice = load_voice(job)
    texts = [*(one.say for one in job.lines), *(one.text for one in job.break_ins)]
    spoken = [await asyncio.to_thread(voice, text) if text else NOTHING for text in texts]
    caller = asyncio.current_task()
    if caller is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, caller.cancel)
    await Caller(job, spoken, emit).run()


def lines_to(file: TextIO) -> Emit:
    """An ``Emit`` that writes events to ``file`` as lines of JSON."""

    def emit(event: str, t: float, **fields: Any) -> None:
        line = {"event": event, "t": round(t, 4), **fields}
        file.write(json.dumps(line) + "\n")
        file.flush()

    return emit


def main() -> int:
    """Run the job on standard input; returns the exit code."""
    try:
        asyncio.run(call(read_job(sys.stdin.readline()), lines_to(sys.stdout)))
    except LastwordError as error:
        print_error(error)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.stderr.write("the caller was told to stop before the call was over\n")
    else:
        return 0
    return 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # seen: LiveKit's threads abort the process while the interpreter shuts down
