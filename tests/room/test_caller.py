"""The simulated caller, run as a process in a real room with a minimal agent."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from livekit import api, rtc
from numpy.typing import NDArray

from lastword.room.speech_tap import closing_tone
from lastword.testing.stage.caller_turns import AgentVoice
from lastword.testing.stage.ear import heard
from lastword.testing.stage.livekit_server import LocalServer
from tests import PROJECT_ROOT
from tests.fakes.standstill import steady
from tests.fakes.tone_voice import RATE, babble

TAIL = 0.5
Samples = NDArray[np.int16]
Event = dict[str, Any]


def token(server: LocalServer, room: str, identity: str) -> str:
    grants = api.VideoGrants(room_join=True, room=room)
    ticket = api.AccessToken(server.api_key, server.api_secret)
    return ticket.with_identity(identity).with_grants(grants).to_jwt()


def job(server: LocalServer, room: str, **fields: Any) -> Event:
    given = {
        "url": server.url,
        "token": token(server, room, "caller"),
        "voice": "tests.fakes.tone_voice:speak",
        "max_seconds": 40,
    }
    return given | fields


async def delete(server: LocalServer, room: str) -> None:
    async with server.api() as client:
        await client.room.delete_room(api.DeleteRoomRequest(room=room))


class CallerProcess:
    """The process under test, and the events that it has reported."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[Event] = []

    async def until(self, name: str) -> Event:
        """Read events up to the first of that name."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == name:
                return self.events[-1]
        raise AssertionError(f"no {name} event, only {self.events}")

    async def over(self) -> tuple[int, list[str]]:
        """Read to the end; returns the exit code and the lines of standard error.

        Some of the lines may come from LiveKit's Rust code.
        """
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        async for line in self.process.stdout:
            self.events.append(json.loads(line))
        said = (await self.process.stderr.read()).decode().splitlines()
        return await self.process.wait(), said

    def named(self, name: str) -> list[Event]:
        return [event for event in self.events if event["event"] == name]

    def names(self) -> list[str]:
        return [event["event"] for event in self.events]


@asynccontextmanager
async def calling(work: Event) -> AsyncIterator[CallerProcess]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "lastword.testing.stage.caller"),
        cwd=PROJECT_ROOT,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(work).encode() + b"\n")
    process.stdin.close()
    try:
        yield CallerProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class MinimalAgent:
    """Plays samples, sends text, and detects when the caller has finished a line."""

    def __init__(self, room: rtc.Room) -> None:
        self._room = room
        self._source = rtc.AudioSource(RATE, 1)
        self._tracks: asyncio.Queue[rtc.Track] = asyncio.Queue()
        self._listened_to = asyncio.Event()
        self.sent = np.zeros(0, np.int16)
        room.on("track_subscribed", lambda track, *_: self._tracks.put_nowait(track))
        room.on("local_track_subscribed", lambda *_: self._listened_to.set())

    async def publish(self) -> None:
        """Publish a track, wait until the caller has subscribed, and let the connection settle.

        The first audio over a new connection may be lost or time-stretched.
        """
        track = rtc.LocalAudioTrack.create_audio_track("agent", self._source)
        await self._room.local_participant.publish_track(track, rtc.TrackPublishOptions())
        await self._listened_to.wait()
        self._caller = rtc.AudioStream(await self._tracks.get(), sample_rate=RATE, num_channels=1)
        await self._send(np.zeros(RATE, np.int16))

    async def speak(self, text: str, *, tone: bool = False) -> None:
        """Speak, and send the text as LiveKit's agents do; returns after the playout."""
        await self._room.local_participant.send_text(text, topic="lk.transcription")
        self.sent = np.concatenate([babble(text), closing_tone(RATE) if tone else self.sent[:0]])
        await self._send(self.sent)

    async def _send(self, samples: Samples) -> None:
        padded = np.concatenate([samples, np.zeros(-len(samples) % 480, np.int16)])
        for part in padded.reshape(-1, 480):
            await self._source.capture_frame(rtc.AudioFrame(part.tobytes(), RATE, 1, 480))
        await self._source.wait_for_playout()

    async def hear_a_line(self) -> None:
        """Wait until the caller has started and stopped speaking."""
        voice = AgentVoice()
        async for event in self._caller:
            if voice.hear(np.array(event.frame.data, np.int16), 0.0) == "stopped":
                return

    async def close(self) -> None:
        """Leave."""
        if hasattr(self, "_caller"):
            await self._caller.aclose()
        await self._room.disconnect()
        await self._source.aclose()


@asynccontextmanager
async def agent_in(server: LocalServer, room: str) -> AsyncIterator[MinimalAgent]:
    connection = rtc.Room()
    agent = MinimalAgent(connection)
    await connection.connect(server.url, token(server, room, "agent"))
    try:
        yield agent
    finally:
        await agent.close()


async def answer_and_hang_up(
    server: LocalServer, room: str, replies: Sequence[str], farewell: str
) -> Samples:
    """Act as the agent for a whole call; returns the farewell as it was sent."""
    async with agent_in(server, room) as agent:
        await agent.publish()
        for reply in replies:
            await agent.speak(reply)
            await agent.hear_a_line()
        await agent.speak(farewell, tone=True)
        await asyncio.sleep(TAIL)
        await delete(server, room)
        return agent.sent


@pytest.mark.alone
@steady
async def test_both_sides_of_a_call_are_reported_measured_and_recorded(
    server: LocalServer, room: str, tmp_path: Path
) -> None:
    recording = tmp_path / "calls" / "recording.wav"
    work = job(
        server,
        room,
        lines=["on Monday please", "yes"],
        repeat_pattern="say that again",
        recording=str(recording),
    )
    replies = ["good morning", "sorry, SAY that again", "Monday then"]
    async with calling(work) as caller:
        await caller.until("joined")
        farewell = await answer_and_hang_up(server, room, replies, "see you then goodbye")
        assert (await caller.over())[0] == 0

    spoken = [(line["line"], line["repeated"]) for line in caller.named("line_finished")]
    assert spoken == [(0, False), (0, True), (1, False)]
    assert {line["source"] for line in caller.named("line_started")} == {"noise"}
    assert [text["text"] for text in caller.named("agent_text")][-1] == "see you then goodbye"
    assert len(caller.named("agent_speaking_started")) == 4
    assert [event["reason"] for event in caller.named("disconnected")] == ["ROOM_DELETED"]
    assert caller.names()[-3:] == ["disconnected", "last_voiced_sample", "finished"]

    samples, rate = soundfile.read(recording, dtype="int16", always_2d=True)
    left, right = np.ascontiguousarray(samples.T)
    farewell_heard = heard(farewell, right)
    assert (rate, farewell_heard.lost_s) == (RATE, 0)
    assert heard(babble("on Monday please"), left).lost_s == 0

    gone_after = caller.events[-1]["line_gone_after"]
    assert abs(gone_after - TAIL) < 0.2  # the jitter buffer adds a delay, a longer one under load
    assert farewell_heard.last_sample_s is not None
    in_recording = len(right) / RATE - farewell_heard.last_sample_s
    assert abs(in_recording - gone_after) < 0.1


@pytest.mark.alone
@steady
async def test_turns_come_after_silence_and_events_follow_the_clock(
    server: LocalServer, room: str
) -> None:
    async with calling(job(server, room, lines=["hello there"])) as caller:
        await answer_and_hang_up(server, room, ["hello"], "goodbye then")
        assert (await caller.over())[0] == 0
    stopped, started = caller.named("agent_speaking_stopped")[0], caller.named("line_started")[0]
    assert 0.75 < started["t"] - stopped["t"] < 1.2
    finished = caller.named("line_finished")[0]
    assert abs(finished["t"] - started["t"] - len(babble("hello there")) / RATE) < 0.1


@pytest.mark.alone
@steady
async def test_a_caller_told_to_stop_leaves_its_recording(
    server: LocalServer, room: str, tmp_path: Path
) -> None:
    recording = tmp_path / "recording.ogg"
    async with calling(job(server, room, recording=str(recording))) as caller:
        async with agent_in(server, room) as agent:
            await agent.publish()
            await agent.speak("hello there")
            await caller.until("agent_speaking_stopped")
            caller.process.send_signal(signal.SIGTERM)
            code, said = await caller.over()
        await delete(server, room)
    assert code == 1
    assert "the caller was told to stop before the call was over" in said
    assert caller.events[-1]["line_gone_after"] is None
    samples, _ = soundfile.read(recording, dtype="int16", always_2d=True)
    assert heard(agent.sent, np.ascontiguousarray(samples[:, 1])).lost_s == 0


async def test_a_call_that_does_not_end_is_ended_by_the_caller(
    server: LocalServer, room: str
) -> None:
    async with calling(job(server, room, max_seconds=0.5)) as caller:
        code, said = await caller.over()
    await delete(server, room)
    assert (code, caller.events[-1]["reason"]) == (1, None)
    assert "the call was still up after 0.5 s, so the caller left it" in said


async def test_a_caller_that_cannot_join_reports_it_in_one_sentence(server: LocalServer) -> None:
    async with calling(job(server, "nowhere", token="not-a-ticket")) as caller:
        code, said = await caller.over()
    assert (code, caller.events) == (1, [])
    assert any(line.startswith(f"the caller cannot join at {server.url}: ") for line in said)


async def test_a_removed_caller_reports_why(server: LocalServer, room: str) -> None:
    async with calling(job(server, room)) as caller:
        await caller.until("joined")
        async with server.api() as client:
            who = api.RoomParticipantIdentity(room=room, identity="caller")
            await client.room.remove_participant(who)
        assert (await caller.over())[0] == 0
    await delete(server, room)
    assert caller.named("disconnected")[0]["reason"] == "PARTICIPANT_REMOVED"


async def test_a_caller_with_a_broken_job_exits_with_one_sentence(server: LocalServer) -> None:
    async with calling(job(server, "nowhere", colour="red")) as caller:
        code, said = await caller.over()
    assert code == 1
    assert len(said) == 1
    assert said[0].startswith("the caller's job cannot be read: ")
