"""What the caller says over the farewell decides whether the call goes on (P3).

Time is virtual here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from livekit.agents.stt import SpeechEventType
from livekit.agents.voice.run_result import RunResult

from lastword.hangup.call_end import CallEnd
from lastword.signals import CallPolicy
from lastword.testing.fakes.stt import FakeSTT, fake_voices
from tests.fakes.mouth import HoarseVoice
from tests.fakes.phone import Phone, phone_call
from tests.fakes.polite_graph import polite_graph

pytestmark = pytest.mark.looptime

POLICY = CallPolicy(first_speaker="caller", tail=0.1)
ENDED = CallEnd("graph", "completed")
GOODBYE = "Goodbye, and have a nice day."


class Farewelled:
    """A call whose farewell is being played, and is held by the test."""

    def __init__(self, phone: Phone, ears: FakeSTT, asked: list[list[str]]) -> None:
        self.phone = phone
        self.ears = ears
        self.asked = asked
        """What the graph was asked with, turn by turn."""

    async def say(self, words: str) -> None:
        """Say something as the caller; returns when LiveKit has dealt with it.

        The farewell is held by the test; what comes after it is played at once.
        """
        self.phone.mouth.hold = False
        self.ears.hear_turn(words)
        await self.settle()

    async def settle(self) -> None:
        """Let LiveKit deal with what it was told: it has nothing to wait for but the next turn of
        the loop, many times over.
        """
        await asyncio.sleep(0.05)

    def play(self) -> None:
        """Play the farewell to its end."""
        self.phone.mouth.hold = False
        self.phone.mouth.play()

    def caller_words(self) -> list[str]:
        return [event["words"] for event in self.phone.events.named("caller_said")]


@asynccontextmanager
async def farewell(policy: CallPolicy = POLICY) -> AsyncIterator[Farewelled]:
    asked: list[list[str]] = []
    ears = FakeSTT()
    voices = fake_voices(ears, preemptive=True)
    async with phone_call(polite_graph(asked), policy, voices=voices) as phone:
        phone.mouth.hold, phone.mouth.played_text = True, "Goodbye,"
        ears.hear_turn("bye")
        await phone.events.until("ending")
        await phone.mouth.captured.wait()
        yield Farewelled(phone, ears, asked)


@pytest.mark.parametrize("words", ["Thanks, you too.", "bye bye", "Okay.", "uh"])
async def test_p3_a_goodbye_over_the_farewell_changes_nothing(words: str) -> None:
    async with farewell() as call:
        await call.say(words)
        call.play()
        assert await call.phone.running == ENDED
        assert call.phone.spoken() == [GOODBYE]
        assert call.caller_words() == ["bye", words], "nothing that was said is lost"
        assert len(call.asked) == 1, "the graph is not asked for a second goodbye"
    assert call.phone.line.removals == 1


async def test_p3_a_new_request_stops_the_farewell_and_is_answered() -> None:
    async with farewell() as call:
        await call.say("oh wait, one more thing")
        await call.phone.events.until("ending_cancelled")
        await call.phone.events.until("agent_said", times=2)
        assert call.phone.spoken() == ["Goodbye,", "Of course."]
        assert call.asked[-1] == ["human: bye", "ai: Goodbye,", "human: oh wait, one more thing"]
        assert call.phone.line.tries == 0
        await call.say("bye")
        assert await call.phone.running == ENDED


async def test_p3_a_goodbye_before_the_request_is_part_of_it() -> None:
    async with farewell() as call:
        await call.say("okay thanks")
        await call.say("oh wait")
        await call.phone.events.until("agent_said", times=2)
        assert call.asked[-1][-1] == "human: okay thanks oh wait"
        assert call.caller_words() == ["bye", "okay thanks oh wait"]


async def test_p3_what_is_said_in_one_breath_is_judged_as_it_comes() -> None:
    async with farewell() as call:
        call.ears.hear(SpeechEventType.START_OF_SPEECH)
        call.ears.hear(SpeechEventType.FINAL_TRANSCRIPT, "bye")
        await call.settle()
        assert call.phone.events.names.count("ending_cancelled") == 0
        call.phone.mouth.hold = False
        call.ears.hear(SpeechEventType.FINAL_TRANSCRIPT, "the way")
        call.ears.hear(SpeechEventType.END_OF_SPEECH)
        await call.phone.events.until("agent_said", times=2)
        assert call.asked[-1][-1] == "human: bye the way"


async def test_p3_a_long_request_stops_the_farewell_before_it_is_over() -> None:
    async with farewell() as call:
        call.ears.hear(SpeechEventType.START_OF_SPEECH)
        for interim in ("I", "I have", "I have another"):
            call.ears.hear(SpeechEventType.INTERIM_TRANSCRIPT, interim)
            await call.settle()
        assert "ending_cancelled" not in call.phone.events.names
        call.ears.hear(SpeechEventType.INTERIM_TRANSCRIPT, "I have another question")
        await call.phone.events.until("ending_cancelled")


async def test_p3_a_goodbye_that_is_not_finished_is_not_taken_for_a_request() -> None:
    async with farewell() as call:
        call.ears.hear(SpeechEventType.START_OF_SPEECH)
        for interim in ("have", "have a", "have a nice", "have a nice day", "thanks have a nice"):
            call.ears.hear(SpeechEventType.INTERIM_TRANSCRIPT, interim)
            await call.settle()
        assert "ending_cancelled" not in call.phone.events.names


async def test_p3_a_request_in_the_tail_keeps_the_call() -> None:
    async with farewell() as call:
        call.play()
        await call.phone.events.until("farewell_played")
        await call.say("wait, my address has changed")
        await call.phone.events.until("agent_said", times=2)
        assert call.phone.spoken() == [GOODBYE, "Of course."]
        assert call.phone.line.tries == 0


async def test_p3_a_goodbye_in_the_tail_does_not() -> None:
    async with farewell() as call:
        call.play()
        await call.phone.events.until("farewell_played")
        await call.say("thank you, bye")
        assert await call.phone.running == ENDED
        assert call.phone.spoken() == [GOODBYE]


async def test_p3_a_sound_in_the_tail_is_waited_for() -> None:
    async with farewell() as call:
        call.play()
        await call.phone.events.until("farewell_played")
        call.ears.hear(SpeechEventType.START_OF_SPEECH)
        await asyncio.sleep(3 * POLICY.tail)
        assert "hanging_up" not in call.phone.events.names
        call.ears.hear(SpeechEventType.FINAL_TRANSCRIPT, "no wait")
        call.ears.hear(SpeechEventType.END_OF_SPEECH)
        await call.phone.events.until("agent_said", times=2)
        assert call.phone.line.tries == 0


async def test_p7_a_session_that_closes_does_not_change_what_the_graph_has_decided() -> None:
    async with farewell() as call:
        await call.phone.session.aclose()
        assert await call.phone.running == ENDED
        assert "ending_cancelled" not in call.phone.events.names
        assert call.phone.events.named("call_ended")[-1]["farewell"] == "cut_short"
    assert call.phone.line.removals == 1


async def test_p3_never_means_that_nothing_stops_the_hang_up() -> None:
    async with farewell(replace(POLICY, farewell_interruption="never")) as call:
        await call.say("oh wait, one more thing")
        call.play()
        assert await call.phone.running == ENDED
        assert call.phone.spoken() == [GOODBYE]
        assert "oh wait, one more thing" in call.caller_words()


async def test_p3_any_means_that_a_goodbye_keeps_the_call_too() -> None:
    async with farewell(replace(POLICY, farewell_interruption="any")) as call:
        await call.say("thanks")
        await call.phone.events.until("ending_cancelled")
        await call.phone.events.until("agent_said", times=2)
        assert call.phone.spoken() == ["Goodbye,", "Of course."]


async def test_p3_what_is_a_goodbye_can_be_decided_by_somebody_else() -> None:
    told: list[tuple[str, str]] = []

    def is_closer(words: str, language: str) -> bool:
        told.append((words, language))
        return words == "gehab dich wohl"

    async with farewell(replace(POLICY, is_closer=is_closer)) as call:
        await call.say("gehab dich wohl")
        assert "ending_cancelled" not in call.phone.events.names
        await call.say("bye")
        await call.phone.events.until("ending_cancelled")
    assert told == [("gehab dich wohl", "en"), ("bye", "en")]


async def test_p3_when_that_fails_the_call_goes_on() -> None:
    def is_closer(words: str, language: str) -> bool:
        raise LookupError(words)

    async with farewell(replace(POLICY, is_closer=is_closer)) as call:
        await call.say("bye")
        await call.phone.events.until("ending_cancelled")
        assert call.phone.line.tries == 0


async def test_the_caller_who_hangs_up_during_the_farewell_does_not_change_the_outcome() -> None:
    async with farewell() as call:
        call.phone.call.end(CallEnd("caller", "caller_hung_up", disconnect_reason="LEFT"))
        end = await call.phone.running
        assert end == CallEnd("graph", "completed", disconnect_reason="LEFT")
        record = call.phone.events.named("call_ended")[-1]
        assert (record["farewell"], record["line_gone"]) == ("cut_short", True)


async def test_words_over_a_farewell_are_in_the_record_of_a_caller_who_then_leaves() -> None:
    async with farewell() as call:
        await call.say("okay thanks")
        call.ears.hear(SpeechEventType.START_OF_SPEECH)
        call.ears.hear(SpeechEventType.FINAL_TRANSCRIPT, "oh wait one more thing")
        await call.phone.events.until("ending_cancelled")
        call.phone.call.end(CallEnd("caller", "caller_hung_up"))
        await call.phone.running
        assert call.caller_words() == ["bye", "okay thanks", "oh wait one more thing"]


async def test_a_farewell_without_a_voice_was_not_played() -> None:
    policy = CallPolicy(first_speaker="caller", tail=0)
    async with phone_call(polite_graph([]), policy, voice=HoarseVoice()) as phone:
        turn: RunResult[Any] = phone.session.run(user_input="bye")
        assert await phone.running == ENDED
        assert phone.events.named("call_ended")[-1]["farewell"] == "failed"
        await turn
