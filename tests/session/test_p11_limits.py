"""Silence, noise and time are bounded: the graph hears of it first, the worker ends it (P11).

Time is virtual here: nobody waits for it, and a machine that stands still changes nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from livekit.agents import AgentSession
from livekit.agents.stt import SpeechEventType
from livekit.agents.voice.run_result import RunResult

from lastword.bridge import GraphLLM
from lastword.call import Call
from lastword.dispatch import read_dispatch
from lastword.graphs_config import CallGraph
from lastword.hangup.call_end import CallEnd
from lastword.providers.voices import TYPED
from lastword.room.call_agent import CallAgent
from lastword.signals import EVENT_KEY, CallPolicy, CallState
from lastword.testing.fakes.recording_events import RecordingEvents
from lastword.testing.fakes.stt import FakeSTT, fake_voices
from tests.fakes.line import FakeLine
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


def counts(listener: Listener) -> list[tuple[str, int]]:
    return [(event["kind"], event["count"]) for event in listener.heard]


async def test_p11_a_silent_caller_is_asked_twice_and_then_hung_up_on() -> None:
    listener = Listener()
    async with phone_call(listener.graph(), POLICY) as phone:
        assert await phone.running == SILENT
        assert phone.spoken() == ["Hello?", "Hello?", POLICY.silence_farewell]
    assert counts(listener) == [("silence", 1), ("silence", 2)]
    assert listener.remembered == [[], ["ai"]], "an event is no message"
    assert all(event["of"] == 2 and event["seconds"] >= QUIET - 0.1 for event in listener.heard)
    assert phone.line.removals == 1


async def test_p11_a_graph_may_end_the_call_at_the_first_silence() -> None:
    listener = Listener("Goodbye then.", ends="no_answer")
    async with phone_call(listener.graph(), POLICY) as phone:
        assert await phone.running == CallEnd("graph", "no_answer")
        assert phone.spoken() == ["Goodbye then."]


async def test_p11_a_graph_that_says_nothing_does_not_keep_the_line_up() -> None:
    listener = Listener(None)
    async with phone_call(listener.graph(), POLICY) as phone:
        assert await phone.running == SILENT
        assert phone.spoken() == [POLICY.silence_farewell]
    assert counts(listener) == [("silence", 1), ("silence", 2)]


async def test_p11_words_begin_the_count_anew() -> None:
    listener = Listener()
    async with phone_call(listener.graph(), POLICY) as phone:
        await phone.events.until("graph_told")
        await phone.say("yes, I am here")
        assert await phone.running == SILENT
    assert counts(listener) == [("silence", 1), ("silence", 1), ("silence", 2)]


async def test_p11_a_sound_without_words_gives_no_more_than_the_time_once_more() -> None:
    listener, ears = Listener(), FakeSTT()
    voices = fake_voices(ears, preemptive=False)
    async with phone_call(listener.graph(), POLICY, voices=voices) as phone:
        ears.hear(SpeechEventType.START_OF_SPEECH)
        assert await phone.running == SILENT
        assert phone.spoken()[-1] == POLICY.silence_farewell
    assert counts(listener) == [("silence", 1), ("silence", 2)]
    assert listener.heard[0]["seconds"] >= 2 * QUIET - 0.1


@pytest.mark.parametrize("words", ["yes, I am here", "Okay.", "bye"])
async def test_p3_p11_words_over_the_farewell_for_silence_keep_the_call(words: str) -> None:
    listener, ears = Listener(), FakeSTT()
    async with silence_farewell(HASTY, listener, ears) as phone:
        phone.mouth.hold = False
        ears.hear_turn(words)
        await phone.events.until("ending_cancelled")
        await phone.events.until("agent_said", times=2)
        assert phone.spoken() == ["I cannot hear you,", "I see."]
        assert phone.line.tries == 0
        assert await phone.running == SILENT, "and silence is watched for as before"
        assert phone.spoken()[2:] == [HASTY.silence_farewell]
    assert phone.line.removals == 1


async def test_p3_p11_first_words_that_come_with_the_farewell_are_the_first_words() -> None:
    listener, ears = Listener(), FakeSTT()
    policy = replace(HASTY, silence_timeout=None, turn_timeout=0.4, first_words_timeout=0.5)
    async with silence_farewell(policy, listener, ears) as phone:
        phone.mouth.hold = False
        ears.hear_turn("hello?")
        await phone.events.until("agent_said", times=2)
        await asyncio.sleep(10 * QUIET)
        assert not phone.call.ended


async def test_p3_p11_noise_over_the_farewell_for_silence_keeps_no_call() -> None:
    listener, ears = Listener(), FakeSTT()
    voices = fake_voices(ears, preemptive=False)
    async with phone_call(listener.graph(), HASTY, voices=voices) as phone:
        ears.hear(SpeechEventType.START_OF_SPEECH)
        await phone.events.until("ending")
        said = asyncio.get_running_loop().time()
        assert await phone.running == SILENT
        assert asyncio.get_running_loop().time() - said < 1, "it was there before; it is no word"


@pytest.mark.parametrize(
    "policy",
    [
        replace(POLICY, silence_reminders=0, farewell_interruption="never"),
        replace(SHORT, limit_warning=0.1),
    ],
)
async def test_p3_p11_no_words_call_off_an_end_that_is_to_be(policy: CallPolicy) -> None:
    listener, ears = Listener(), FakeSTT()
    async with silence_farewell(policy, listener, ears) as phone:
        ears.hear_turn("wait, I am here")
        await asyncio.sleep(0.1)
        phone.mouth.hold = False
        phone.mouth.play()
        end = await phone.running
        assert end.ended_by == "limit"
        assert "ending_cancelled" not in phone.events.names


async def test_p11_a_caller_whose_words_come_after_the_sound_is_not_hung_up_on() -> None:
    listener, ears = Listener(), FakeSTT()
    policy = replace(POLICY, silence_reminders=0, silence_timeout=1.0)
    voices = fake_voices(ears, preemptive=False)
    async with phone_call(listener.graph(), policy, voices=voices) as phone:
        ears.hear(SpeechEventType.START_OF_SPEECH)
        await asyncio.sleep(1.2)  # longer than a silence may be; a recogniser needs its time
        ears.hear(SpeechEventType.END_OF_SPEECH)
        await asyncio.sleep(0.1)
        ears.hear(SpeechEventType.FINAL_TRANSCRIPT, "I would like to book a table")
        await phone.events.until("agent_said")
        assert phone.spoken() == ["I see."]


async def test_p11_a_long_tool_is_no_silence() -> None:
    done = asyncio.Event()
    listener = Listener(pause=done.wait)
    async with phone_call(listener.graph(), POLICY) as phone:
        turn: RunResult[Any] = phone.session.run(user_input="look it up")
        await asyncio.sleep(3 * QUIET)
        assert listener.heard == []
        done.set()
        await turn
        assert phone.spoken() == ["I see."]


async def test_p11_an_operator_who_is_asked_is_no_silence() -> None:
    async def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(f"He says {interrupt({'approve': 7})}.")]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    async with phone_call(builder.compile(), POLICY) as phone:
        await phone.say("may I?")
        await asyncio.sleep(4 * QUIET)
        assert "graph_told" not in phone.events.names
        assert not phone.call.ended


async def test_p11_silence_counts_again_once_the_operator_has_answered() -> None:
    async def ask(state: MessagesState) -> dict[str, Any]:
        interrupt({"approve": 7})
        return {"messages": []}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    async with phone_call(builder.compile(), POLICY) as phone:
        await phone.say("may I?")
        graph_llm = phone.session.llm
        assert isinstance(graph_llm, GraphLLM)
        await (await graph_llm.answer({"approved": True}))
        await phone.events.until("graph_told")


async def test_p11_a_graph_without_memory_hears_of_silence_too() -> None:
    listener = Listener()
    async with phone_call(listener.graph(checkpointer=False), POLICY) as phone:
        await phone.say("hello")
        assert await phone.running == SILENT
        assert phone.spoken() == ["I see.", "Hello?", "Hello?", POLICY.silence_farewell]
    assert counts(listener) == [("silence", 1), ("silence", 2)]


async def test_p11_a_graph_without_the_channel_hears_a_message() -> None:
    heard: list[HumanMessage] = []

    async def listen(state: MessagesState) -> dict[str, Any]:
        last = state["messages"][-1]
        assert isinstance(last, HumanMessage)
        heard.append(last)
        return {"messages": [AIMessage("Are you there?")]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("listen", listen)
    builder.add_edge(START, "listen")
    async with phone_call(builder.compile(), POLICY) as phone:
        await phone.events.until("agent_said")
        await phone.say("yes")
    assert heard[0].text.startswith("(The caller has said nothing for ")
    assert heard[0].additional_kwargs[EVENT_KEY]["kind"] == "silence"
    assert (heard[1].text, heard[1].additional_kwargs) == ("yes", {})


async def test_p11_a_call_that_gets_too_long_is_told_and_then_ended() -> None:
    listener = Listener("We have to stop soon.")
    async with phone_call(listener.graph(), SHORT) as phone:
        assert await phone.running == CallEnd("limit", "max_duration")
        assert phone.spoken() == ["We have to stop soon.", SHORT.limit_farewell]
    (near,) = listener.heard
    assert near["kind"] == "limit_near"
    assert 0 < near["seconds_left"] <= SHORT.limit_warning


async def test_p11_the_graph_may_end_a_call_before_its_time_is_up() -> None:
    listener = Listener("Then goodbye.", ends="out_of_time")
    async with phone_call(listener.graph(), SHORT) as phone:
        assert await phone.running == CallEnd("graph", "out_of_time")


async def test_p11_a_warning_that_the_caller_speaks_over_is_not_given_again_and_again() -> None:
    listener, ears = Listener("We have to stop soon."), FakeSTT()
    policy = replace(SHORT, max_duration=1.6, limit_warning=1.4)
    voices = fake_voices(ears, preemptive=False)
    async with phone_call(listener.graph(), policy, voices=voices) as phone:
        phone.mouth.hold = True
        await phone.events.until("graph_told")
        ears.hear(SpeechEventType.START_OF_SPEECH)
        while "ending" not in phone.events.names:
            ears.hear(SpeechEventType.INTERIM_TRANSCRIPT, "and another thing")
            await asyncio.sleep(0.03)
        phone.mouth.hold = False
        await phone.mouth.captured.wait()
        phone.mouth.play()
        assert await phone.running == CallEnd("limit", "max_duration")
    assert len(listener.heard) == 1


async def test_p5_p11_a_warning_waits_for_the_answer_that_is_being_made() -> None:
    seen: list[list[str]] = []

    async def listen(state: CallState) -> dict[str, Any]:
        seen.append([message.text for message in state["messages"]])
        return {}

    async def book(state: CallState) -> dict[str, Any]:
        if state.get("event") is None:
            await asyncio.sleep(0.5)
        return {"messages": [AIMessage("Soon." if state.get("event") else "Booked.")]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(CallState)
    builder.add_node("listen", listen)
    builder.add_node("book", book)
    builder.add_edge(START, "listen")
    builder.add_edge("listen", "book")
    policy = replace(SHORT, turn_timeout=3, max_duration=3.2, limit_warning=3)
    async with phone_call(builder.compile(), policy) as phone:
        await phone.say("book a table")
        assert await phone.running == CallEnd("limit", "max_duration")
        assert phone.spoken() == ["Booked.", "Soon.", policy.limit_farewell]
    assert seen == [["book a table"], ["book a table", "Booked."]]


async def test_p11_the_time_is_up_in_the_middle_of_a_sentence_too() -> None:
    async with phone_call(Listener(None).graph(), SHORT) as phone:
        phone.mouth.hold, phone.mouth.played_text = True, "I"
        turn: RunResult[Any] = phone.session.run(user_input="tell me everything")
        await phone.mouth.captured.wait()
        await phone.events.until("agent_said")
        phone.mouth.hold = False
        phone.mouth.play()
        assert await phone.running == CallEnd("limit", "max_duration")
        assert phone.spoken() == ["I", SHORT.limit_farewell]
        await turn


async def test_p11_a_sentence_may_be_left_out() -> None:
    policy = replace(SHORT, limit_farewell="")
    async with phone_call(Listener(None).graph(), policy) as phone:
        assert await phone.running == CallEnd("limit", "max_duration")
        assert phone.spoken() == []


async def test_p7_p11_a_farewell_that_never_finishes_is_not_waited_for() -> None:
    listener = Listener("Goodbye.", ends="no_answer")
    policy = replace(POLICY, farewell_max_wait=0.3)
    async with phone_call(listener.graph(), policy) as phone:
        phone.mouth.hold = True
        assert await phone.running == CallEnd("graph", "no_answer")
        record = phone.events.named("call_ended")[-1]
        assert record["farewell"] == "overdue"


async def never(session: AgentSession[None], agent: CallAgent) -> None:
    await asyncio.Event().wait()


async def joined() -> str:
    return "caller"


async def test_p11_a_call_in_which_nothing_happens_is_ended() -> None:
    events, line = RecordingEvents(), FakeLine()
    policy = CallPolicy(silence_timeout=None, turn_timeout=0.1, first_words_timeout=0.2)
    call = Call(
        "call-under-test",
        graph=CallGraph("under_test", Listener().graph(), policy),
        dispatch=read_dispatch(""),
        events=events,
        voices=TYPED,
    )
    end = await call.run(never, [line], caller_joined=joined)
    assert end == CallEnd("limit", "no_first_words")
    assert line.removals == 1


@pytest.mark.parametrize("policy", [POLICY, SHORT])
async def test_p11_no_limit_cuts_the_graphs_own_farewell(policy: CallPolicy) -> None:
    listener = Listener("Goodbye and thank you.", ends="no_answer")
    async with phone_call(listener.graph(), policy) as phone:
        phone.mouth.hold = True
        await phone.events.until("ending")
        await phone.mouth.captured.wait()
        await asyncio.sleep(5 * QUIET)
        assert phone.events.names[-1] == "ending"
        phone.mouth.play()
        assert await phone.running == CallEnd("graph", "no_answer")
        await say_nothing(phone)


async def say_nothing(phone: Phone) -> None:
    assert phone.spoken() == ["Goodbye and thank you."]
