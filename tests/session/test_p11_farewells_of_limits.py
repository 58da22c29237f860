"""What becomes of a limit's farewell, and who is no silent caller (P3, P7, P11).

Time is virtual here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from livekit.agents.stt import SpeechEventType

from lastword.hangup.call_end import CallEnd
from lastword.signals import CallPolicy
from lastword.testing.fakes.stt import FakeSTT, fake_voices
from tests.fakes.mouth import HoarseVoice
from tests.fakes.phone import Phone, phone_call
from tests.fakes.silent_caller import (
    HASTY,
    POLICY,
    QUIET,
    SHORT,
    SILENT,
    Listener,
    silence_farewell,
)

pytestmark = pytest.mark.looptime

NEVER = replace(HASTY, farewell_interruption="never")
PATIENT = replace(POLICY, silence_timeout=10.0)
ENDLESS = replace(HASTY, max_duration=None, first_words_timeout=None)


def caller_words(phone: Phone) -> list[str]:
    return [event["words"] for event in phone.events.named("caller_said")]


def record(phone: Phone) -> Mapping[str, Any]:
    return phone.events.named("call_ended")[-1]


@pytest.mark.parametrize("policy", [HASTY, NEVER, SHORT])
async def test_p11_a_limits_farewell_without_a_voice_was_not_played(policy: CallPolicy) -> None:
    async with phone_call(Listener(None).graph(), policy, voice=HoarseVoice()) as phone:
        assert (await phone.running).ended_by == "limit"
        assert record(phone)["farewell"] == "failed"
    assert phone.line.removals == 1


@pytest.mark.parametrize(
    "policy", [replace(HASTY, silence_farewell=""), replace(SHORT, limit_farewell="")]
)
async def test_p11_a_farewell_that_is_left_out_was_not_played(policy: CallPolicy) -> None:
    async with phone_call(Listener(None).graph(), policy) as phone:
        await phone.running
        assert record(phone)["farewell"] == "none"


async def test_p3_p11_never_means_that_words_over_the_farewell_are_in_the_log() -> None:
    ears = FakeSTT()
    async with silence_farewell(NEVER, Listener(), ears) as phone:
        ears.hear_turn("wait, I am here")
        await asyncio.sleep(0.1)
        phone.mouth.hold = False
        phone.mouth.play()
        assert await phone.running == SILENT
        assert caller_words(phone) == ["wait, I am here"]


@pytest.mark.parametrize("noise", [".", "...", "♪"])
async def test_p3_p11_noise_that_is_written_down_without_a_word_keeps_no_call(noise: str) -> None:
    ears = FakeSTT()
    async with silence_farewell(HASTY, Listener(), ears) as phone:
        ears.hear_turn(noise)
        await asyncio.sleep(0.1)
        assert "ending_cancelled" not in phone.events.names
        phone.mouth.hold = False
        phone.mouth.play()
        assert await phone.running == SILENT


async def test_p11_noise_that_is_written_down_without_a_word_is_silence() -> None:
    ears = FakeSTT()
    voices = fake_voices(ears, preemptive=False)
    async with phone_call(Listener().graph(), ENDLESS, voices=voices) as phone:
        for _ in range(3):
            ears.hear(SpeechEventType.INTERIM_TRANSCRIPT, "...")
            await asyncio.sleep(QUIET / 2)
        assert phone.call.ended


async def test_p11_a_caller_who_answers_with_keys_is_not_silent() -> None:
    listener = Listener()
    async with phone_call(listener.graph(), PATIENT) as phone:
        for _ in range(4):
            await asyncio.sleep(12)
            phone.call.keypad.press("1")
        assert not phone.call.ended
        silences = [event for event in listener.heard if event["kind"] == "silence"]
        assert {event["count"] for event in silences} == {1}


async def test_p11_a_key_that_comes_in_time_is_waited_for() -> None:
    listener = Listener()
    policy = replace(PATIENT, silence_reminders=0)
    async with phone_call(listener.graph(), policy) as phone:
        await asyncio.sleep(9)
        phone.call.keypad.press("1")
        assert (await phone.events.until("graph_told"))["kind"] == "keypad"
        assert await phone.running == SILENT
    assert [event["kind"] for event in listener.heard] == ["keypad"]


async def test_p11_time_that_runs_out_during_the_farewell_for_silence_ends_the_call() -> None:
    policy = replace(HASTY, turn_timeout=0.4, max_duration=1.0, limit_warning=0.01)
    ears = FakeSTT()
    async with silence_farewell(policy, Listener(), ears) as phone:
        await asyncio.sleep(2)
        phone.mouth.hold = False
        ears.hear_turn("I am here")
        assert await phone.running == CallEnd("limit", "max_duration")
    assert phone.line.removals == 1


async def test_p3_p11_a_key_over_the_farewell_for_silence_keeps_the_call() -> None:
    listener = Listener()
    policy = replace(HASTY, silence_timeout=2.0)
    async with silence_farewell(policy, listener, FakeSTT()) as phone:
        phone.mouth.hold = False
        phone.call.keypad.press("1")
        await phone.events.until("ending_cancelled")
        await phone.events.until("agent_said", times=2)
        assert [event["kind"] for event in listener.heard] == ["keypad"]
        assert phone.line.tries == 0
        phone.call.keypad.press("2")
        await phone.events.until("agent_said", times=3)
        assert await phone.running == SILENT, "and silence is watched for as before"
    assert phone.line.removals == 1


async def test_p7_p11_a_session_that_closes_does_not_change_what_a_limit_has_decided() -> None:
    async with silence_farewell(HASTY, Listener(), FakeSTT()) as phone:
        await phone.session.aclose()
        assert await phone.running == SILENT
        assert "ending_cancelled" not in phone.events.names
        assert record(phone)["farewell"] == "cut_short"
    assert phone.line.removals == 1
