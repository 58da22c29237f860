"""A farewell that the caller interrupts does not hang up (P3), and the graph knows (P5)."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from livekit.agents.voice.run_result import RunResult
from typing_extensions import TypedDict

from lastword.hangup.call_end import CallEnd
from lastword.signals import EVENT_KEY, CallPolicy, CallState, end_call
from tests.fakes.phone import Phone, phone_call
from tests.fakes.polite_graph import polite_graph
from tests.fakes.scripted_graph import ScriptedModel, talking_graph


async def interrupted_farewell(phone: Phone) -> None:
    """Let the caller speak after the first word of the farewell."""
    await phone.break_in("bye", "Goodbye,")


async def test_p3_an_interrupted_farewell_does_not_hang_up() -> None:
    seen: list[list[str]] = []
    async with phone_call(polite_graph(seen)) as phone:
        await interrupted_farewell(phone)
        await phone.events.until("ending_cancelled")
        assert phone.line.tries == 0
        await phone.say("one more thing")
        assert phone.spoken() == ["Goodbye,", "Of course."]
        assert seen[-1] == ["human: bye", "ai: Goodbye,", "human: one more thing"]
        await phone.say("bye")
        assert await phone.running == CallEnd("graph", "completed")
        assert phone.line.removals == 1


async def test_p3_a_caller_who_speaks_in_the_tail_keeps_the_call() -> None:
    policy = CallPolicy(first_speaker="caller", tail=10)
    async with phone_call(polite_graph([]), policy) as phone:
        turn: RunResult[Any] = phone.session.run(user_input="bye")
        await phone.events.until("farewell_played")
        await phone.session.interrupt(force=True)
        await turn
        await phone.events.until("ending_cancelled")
        assert phone.line.tries == 0
        await phone.say("one more thing")
        assert phone.spoken()[-1] == "Of course."


async def test_p3_a_token_farewell_can_be_interrupted_too() -> None:
    model = ScriptedModel(answers=[["Goodbye, and good luck.<end>"], ["Still here."]])
    async with phone_call(talking_graph(model)) as phone:
        await interrupted_farewell(phone)
        await phone.say("wait")
        assert [m.text for m in model.calls[-1]] == ["bye", "Goodbye,", "wait"]
        assert phone.line.tries == 0


async def test_p5_nothing_is_doubled_and_only_what_is_new_goes_in() -> None:
    seen: list[list[str]] = []
    async with phone_call(polite_graph(seen)) as phone:
        for words in ("one", "two", "three"):
            await phone.say(words)
        assert seen[-1] == [
            "human: one",
            "ai: Of course.",
            "human: two",
            "ai: Of course.",
            "human: three",
        ]


class Farewelled(MessagesState):
    """Remembers what its end node did."""

    said_goodbye: bool


async def test_p3_after_a_cancelled_ending_the_state_is_that_before_the_end_node() -> None:
    seen: list[bool] = []

    async def listen(state: Farewelled) -> dict[str, Any]:
        seen.append(state.get("said_goodbye", False))
        return {}

    async def end(state: Farewelled) -> dict[str, Any]:
        return {"messages": [AIMessage("Goodbye, then.")], "said_goodbye": True}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Farewelled)
    builder.add_node("listen", listen)
    builder.add_node("end", end)
    builder.add_edge(START, "listen")
    builder.add_edge("listen", "end")
    async with phone_call(builder.compile()) as phone:
        await interrupted_farewell(phone)
        await phone.say("wait")
    assert seen == [False, False]


GOODBYE_CUT = {
    "kind": "ending_cancelled",
    "reason": "confirmed",
    "farewell": "Goodbye, and good luck.",
    "heard": "Goodbye,",
}


def ending_graph(state: type[Any], seen: list[Any]) -> Pregel[Any, Any, Any, Any]:
    """Ends the call at every turn, for a reason; keeps the state it is asked with."""

    async def listen(state: Any) -> dict[str, Any]:
        seen.append(state)
        return {}

    async def end(state: Any) -> dict[str, Any]:
        end_call("confirmed")
        return {"messages": [AIMessage("Goodbye, and good luck.")]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(state)
    builder.add_node("listen", listen)
    builder.add_node("end", end)
    builder.add_edge(START, "listen")
    builder.add_edge("listen", "end")
    return builder.compile()


async def test_p3_the_graph_sees_that_it_was_about_to_end_and_what_was_heard_of_it() -> None:
    seen: list[CallState] = []
    async with phone_call(ending_graph(CallState, seen)) as phone:
        await interrupted_farewell(phone)
        await phone.say("wait")
    assert [state.get("event") for state in seen] == [None, GOODBYE_CUT]


async def test_p3_a_graph_without_the_event_channel_sees_it_in_the_callers_message() -> None:
    seen: list[MessagesState] = []
    async with phone_call(ending_graph(MessagesState, seen)) as phone:
        await interrupted_farewell(phone)
        await phone.say("wait")
    last = seen[-1]["messages"][-1]
    assert (last.text, last.additional_kwargs) == ("wait", {EVENT_KEY: GOODBYE_CUT})


class LastOnly(TypedDict):
    """A state that keeps only the last value, so that it is told the whole conversation."""

    messages: list[AnyMessage]


async def test_p3_a_graph_that_is_told_everything_sees_it_too() -> None:
    seen: list[LastOnly] = []
    async with phone_call(ending_graph(LastOnly, seen)) as phone:
        await interrupted_farewell(phone)
        await phone.say("wait")
    last = seen[-1]["messages"][-1]
    assert last.text == "wait"
    assert last.additional_kwargs[EVENT_KEY]["kind"] == "ending_cancelled"
