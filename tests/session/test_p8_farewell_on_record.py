"""The record does not say that a farewell was played whose sound nobody could hear (P8).

A voice can be taken from the agent by code beside the call, or by an operator of the room; LiveKit
lets the speech end like any other. (Who presses or says something calls the farewell off: P3.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel import Pregel

from lastword.signals import CallPolicy
from lastword.testing.virtual_clock import VirtualClock
from tests.fakes.phone import Phone, phone_call
from tests.fakes.polite_graph import polite_graph


def switch_off(phone: Phone) -> None:
    phone.session.output.set_audio_enabled(False)


def clear_away(phone: Phone) -> None:
    phone.mouth.clear_buffer()


def mute(phone: Phone) -> None:
    phone.call.closing.agent_muted(muted=True)


def nothing(phone: Phone) -> None:
    """Leave the voice as it is."""


def give_back(phone: Phone) -> None:
    phone.call.closing.agent_muted(muted=True)
    phone.call.closing.agent_muted(muted=False)


Deed = Callable[[Phone], None]
BEFORE: dict[str, tuple[Deed, str]] = {
    "the voice is switched off": (switch_off, "muted"),
    "the track is muted": (mute, "muted"),
    "the track was muted, and is not any more": (give_back, "played"),
    "nothing happens": (nothing, "played"),
}
MEANWHILE: dict[str, tuple[Deed, str]] = {
    "the voice is switched off": (switch_off, "muted"),
    "the track is muted": (mute, "muted"),
    "the track is muted for a moment": (give_back, "muted"),
    "the sound is cleared away": (clear_away, "cut_short"),
    "nothing happens": (nothing, "played"),
}
POLICY = CallPolicy(first_speaker="caller", tail=0)
SHORT = replace(POLICY, silence_timeout=None, first_words_timeout=None, max_duration=60.0)


async def farewell_on_record(phone: Phone) -> str:
    return str((await phone.journal.until("call_ended"))["farewell"])


@pytest.mark.parametrize("what", BEFORE)
async def test_p8_what_happened_to_the_voice_before_the_farewell(what: str) -> None:
    deed, found = BEFORE[what]
    async with phone_call(polite_graph([]), POLICY) as phone:
        deed(phone)
        await phone.say("bye")
        assert await farewell_on_record(phone) == found


@pytest.mark.parametrize("what", MEANWHILE)
async def test_p8_what_happens_to_the_voice_during_the_farewell(what: str) -> None:
    deed, found = MEANWHILE[what]
    async with phone_call(polite_graph([]), POLICY) as phone:
        phone.mouth.hold = True
        turn: Any = phone.session.run(user_input="bye")
        await phone.journal.until("ending")
        await phone.mouth.captured.wait()
        deed(phone)
        phone.mouth.release()
        assert await farewell_on_record(phone) == found
        await turn


@pytest.mark.parametrize("what", MEANWHILE)
async def test_p8_what_happens_to_the_voice_during_a_limits_farewell(what: str) -> None:
    deed, found = MEANWHILE[what]
    clock = VirtualClock()
    async with phone_call(polite_graph([]), SHORT, clock=clock) as phone:
        phone.mouth.hold = True
        await clock.advance(60)
        await phone.mouth.captured.wait()
        deed(phone)
        phone.mouth.release()
        assert await farewell_on_record(phone) == found


async def test_p8_a_farewell_that_was_played_and_then_muted_was_played() -> None:
    policy = CallPolicy(first_speaker="caller", tail=0.2)
    async with phone_call(polite_graph([]), policy) as phone:
        turn: Any = phone.session.run(user_input="bye")
        await phone.journal.until("farewell_played")
        mute(phone)
        assert await farewell_on_record(phone) == "played"
        await turn


def wordless_graph() -> Pregel[Any, Any, Any, Any]:
    """A graph that ends the call at "bye" without a word, and answers all else."""

    def route(state: MessagesState) -> Literal["talk", "end"]:
        return "end" if state["messages"][-1].text == "bye" else "talk"

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("talk", lambda _: {"messages": [AIMessage("Of course, one moment please.")]})
    builder.add_node("end", lambda _: {})
    builder.add_conditional_edges(START, route)
    return builder.compile()


@pytest.mark.parametrize("was_interrupted", [True, False])
async def test_p8_an_ending_without_a_word_has_no_farewell_whatever_was_said_before(
    *, was_interrupted: bool
) -> None:
    async with phone_call(wordless_graph(), POLICY) as phone:
        if was_interrupted:
            await phone.break_in("hello", "Of course,")
        else:
            await phone.say("hello")
        await phone.say("bye")
        assert await farewell_on_record(phone) == "none"
