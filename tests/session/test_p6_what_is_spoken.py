"""Only speech is spoken, in order, whatever the graph is made of (P6)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import RetryPolicy, Send

from lastword.hangup.call_end import CallEnd
from lastword.signals import CallPolicy, end_call, say
from lastword.testing.fakes.audio_output import FakeTTS
from tests.fakes.phone import phone_call
from tests.fakes.scripted_graph import BrokenModel, ScriptedModel, talking_graph

Graph = Pregel[Any, Any, Any, Any]


class Rooms(MessagesState):
    """What a node is sent out with."""

    room: str


class TwoRooms:
    """Two nodes, sent out at once, that stream word by word in turns."""

    def __init__(self, *, end: bool = False) -> None:
        self._end = end
        self._turn = {"kitchen": asyncio.Event(), "bath": asyncio.Event()}
        self._turn["kitchen"].set()

    async def report(self, state: Rooms) -> dict[str, Any]:
        """Stream four words; the other room gets a word in after each of them."""
        room = state["room"]
        other = "bath" if room == "kitchen" else "kitchen"

        async def my_turn() -> None:
            await self._turn[room].wait()
            self._turn[room].clear()
            self._turn[other].set()

        words = ["The ", f"{room} ", "is ", "clean."]
        answer = await ScriptedModel(answers=[words], pause=my_turn).ainvoke("report")
        if self._end:
            end_call(f"{room}_done")
        return {"messages": [answer]}

    def graph(self) -> Graph:
        def fan_out(state: Rooms) -> list[Send]:
            return [Send("report", {"room": room}) for room in ("kitchen", "bath")]

        builder: StateGraph[Any, Any, Any, Any] = StateGraph(Rooms)
        builder.add_node("report", self.report)
        builder.add_conditional_edges(START, fan_out, ["report"])
        return builder.compile()


async def test_p6_nodes_that_stream_at_once_are_spoken_one_after_the_other() -> None:
    async with phone_call(TwoRooms().graph()) as phone:
        await phone.say("How is the flat?")
        assert phone.spoken() == ["The kitchen is clean. The bath is clean."]


async def test_p2_nodes_that_end_the_call_at_once_end_it_once() -> None:
    async with phone_call(TwoRooms(end=True).graph()) as phone:
        await phone.say("How is the flat?")
        end = await phone.running
        assert (end.ended_by, end.reason) in [("graph", "kitchen_done"), ("graph", "bath_done")]
        assert phone.spoken() == ["The kitchen is clean. The bath is clean."]
        assert phone.events.names.count("ending") == 1
        assert phone.line.removals == 1


async def test_p2_an_end_node_in_a_fan_out_ends_the_call() -> None:
    async def end(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("Goodbye.")]}

    def fan_out(state: MessagesState) -> list[Send]:
        return [Send("end", state), Send("note", state)]

    async def note(state: MessagesState) -> dict[str, Any]:
        return {}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("end", end)
    builder.add_node("note", note)
    builder.add_conditional_edges(START, fan_out, ["end", "note"])
    async with phone_call(builder.compile()) as phone:
        await phone.say("Bye.")
        assert await phone.running == CallEnd("graph", "completed")


def two_steps(first: Any, second: Any, **options: Any) -> Graph:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("first", first, **options)
    builder.add_node("second", second)
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    builder.add_edge("second", END)
    return builder.compile()


async def fine(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage("Fine.")]}


async def test_p6_structured_output_is_not_spoken() -> None:
    model = ScriptedModel(answers=[['{"inte', 'nt": "book', '"}']])

    async def classify(state: MessagesState) -> dict[str, Any]:
        await model.ainvoke(state["messages"])
        return {}

    async with phone_call(two_steps(classify, fine)) as phone:
        await phone.say("Book.")
        assert phone.spoken() == ["Fine."]


async def test_p6_models_with_langgraphs_nostream_tag_are_not_spoken() -> None:
    model = ScriptedModel(answers=[["BOOKING"]]).with_config(tags=["nostream"])

    async def classify(state: MessagesState) -> dict[str, Any]:
        await model.ainvoke(state["messages"])
        return {}

    async with phone_call(two_steps(classify, fine)) as phone:
        await phone.say("Book.")
        assert phone.spoken() == ["Fine."]


@pytest.mark.parametrize(
    ("policy", "spoken"),
    [
        (CallPolicy(first_speaker="caller"), "Inside. Fine."),
        (CallPolicy(first_speaker="caller", silent_nodes=frozenset({"inner"})), "Fine."),
        (CallPolicy(first_speaker="caller", spoken_nodes=frozenset({"inner"})), "Inside."),
    ],
)
async def test_p6_nodes_of_subgraphs_are_named_like_any_others(
    policy: CallPolicy, spoken: str
) -> None:
    async def inner(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("Inside.")]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("inner", inner)
    builder.add_edge(START, "inner")
    async with phone_call(two_steps(builder.compile(), fine), policy) as phone:
        await phone.say("Hello.")
        assert phone.spoken() == [spoken]


async def test_p6_say_signals_stand_in_order_with_streamed_words() -> None:
    model = ScriptedModel(answers=[["Found", " it."]])

    async def search(state: MessagesState) -> dict[str, Any]:
        say("One moment.")
        answer = await model.ainvoke(state["messages"])
        say("So.")
        return {"messages": [answer]}

    async with phone_call(two_steps(search, fine)) as phone:
        await phone.say("Search.")
        assert phone.spoken() == ["One moment. Found it. So. Fine."]


async def test_p6_a_retried_node_repeats_nothing_that_was_spoken() -> None:
    model = BrokenModel(answers=[["Your ap"], ["Your appoint", "ment is at ten."]], broken={1})

    async def look_up(state: MessagesState) -> dict[str, Any]:
        say("One moment.")
        return {"messages": [await model.ainvoke(state["messages"])]}

    retry = RetryPolicy(initial_interval=0, jitter=False, retry_on=ConnectionError)
    async with phone_call(two_steps(look_up, fine, retry_policy=retry)) as phone:
        await phone.say("When?")
        assert phone.spoken() == ["One moment. Your appointment is at ten. Fine."]
        await phone.say("And?")


async def test_p6_a_fallback_model_goes_on_where_the_first_one_broke_off() -> None:
    first = BrokenModel(answers=[["Your ap"]], broken={1})
    second = ScriptedModel(answers=[["Your appointment", " is at ten."]])
    model = first.with_fallbacks([second], exceptions_to_handle=(ConnectionError,))

    async def look_up(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    async with phone_call(two_steps(look_up, fine)) as phone:
        await phone.say("When?")
        assert phone.spoken() == ["Your appointment is at ten. Fine."]


async def test_p6_markdown_emoji_and_addresses_are_read_as_speech() -> None:
    text = "**Ten** o'clock 😀, see [our page](https://example.org/a) or https://www.example.org."
    async with phone_call(talking_graph(ScriptedModel(answers=[[text]]))) as phone:
        await phone.say("When?")
        voice = phone.session.tts
        assert isinstance(voice, FakeTTS)
        assert " ".join(" ".join(voice.texts).split()) == (
            "Ten o'clock , see our page or example.org."
        )
