"""Any graph ends a call, in whatever way it likes, and ordinary speech never does (P2)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.pregel import Pregel

from lastword.hangup.call_end import CallEnd
from lastword.signals import CallPolicy, CallState, end_call, say
from tests.fakes.phone import phone_call
from tests.fakes.scripted_graph import ScriptedModel, talking_graph

Graph = Pregel[Any, Any, Any, Any]
OPENING = CallPolicy(first_speaker="agent", tail=0)


def one_node(node: Any, *, name: str = "talk", state: type = MessagesState) -> Graph:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(state)
    builder.add_node(name, node)
    builder.add_edge(START, name)
    builder.add_edge(name, END)
    return builder.compile()


async def goodbye(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage("Goodbye.")]}


async def test_p2_reaching_the_end_node_ends_the_call() -> None:
    async with phone_call(one_node(goodbye, name="end")) as phone:
        await phone.say("Thanks, that is all.")
        assert await phone.running == CallEnd("graph", "completed")
        assert phone.spoken() == ["Goodbye."]
        assert phone.line.removals == 1


@pytest.mark.parametrize(
    ("chunks", "spoken"),
    [
        (["Goodbye.", "<end>"], "Goodbye."),
        (["Good", "bye.<", "e", "nd", ">"], "Goodbye."),
        (["Bye<end>", "<end> now"], "Bye now"),
    ],
)
async def test_p2_streaming_the_end_token_ends_the_call_and_is_never_spoken(
    chunks: list[str], spoken: str
) -> None:
    async with phone_call(talking_graph(ScriptedModel(answers=[chunks]))) as phone:
        await phone.say("Bye!")
        assert await phone.running == CallEnd("graph", "completed")
        assert phone.spoken() == [spoken]
        assert phone.line.removals == 1


async def test_p2_a_token_without_speech_ends_the_call() -> None:
    async with phone_call(talking_graph(ScriptedModel(answers=[["<end>"]]))) as phone:
        await phone.say("Bye!")
        assert await phone.running == CallEnd("graph", "completed")
        assert phone.spoken() == []


async def test_p2_an_end_node_without_words_ends_the_call() -> None:
    async def silent(state: MessagesState) -> dict[str, Any]:
        return {}

    async with phone_call(one_node(silent, name="end")) as phone:
        await phone.say("Bye!")
        assert await phone.running == CallEnd("graph", "completed")


async def test_p2_a_signal_carries_reason_and_outcome_whole() -> None:
    outcome = {"slot": {"day": "Tuesday", "hour": 10}, "ids": [1, 2]}

    async def book(state: MessagesState) -> dict[str, Any]:
        say("One moment.")
        end_call("booked", outcome)
        return {"messages": [AIMessage("You are booked. Goodbye.")]}

    async with phone_call(one_node(book)) as phone:
        await phone.say("Book it.")
        assert await phone.running == CallEnd("graph", "booked", outcome)
        assert phone.spoken() == ["One moment. You are booked. Goodbye."]


async def test_p2_an_outcome_that_is_no_json_does_not_lose_the_ending() -> None:
    itself: list[Any] = []
    itself.append(itself)

    async def book(state: MessagesState) -> dict[str, Any]:
        asked = state["messages"][-1].text
        end_call(asked, {"day": date(2026, 11, 24)} if asked == "day" else {"loop": itself})
        return {"messages": [AIMessage("Goodbye.")]}

    async with phone_call(one_node(book)) as phone:
        await phone.say("day")
        assert await phone.running == CallEnd("graph", "day", {"day": "2026-11-24"})
    async with phone_call(one_node(book)) as phone:
        await phone.say("loop")
        assert await phone.running == CallEnd("graph", "loop", None)


async def test_p2_the_ending_channel_gives_the_end_node_its_reason() -> None:
    async def end(state: CallState) -> dict[str, Any]:
        return {"messages": [AIMessage("Bye.")], "ending": {"reason": "wrong_person"}}

    async with phone_call(one_node(end, name="end", state=CallState)) as phone:
        await phone.say("No, this is Ben.")
        assert await phone.running == CallEnd("graph", "wrong_person")


async def test_p2_a_graph_may_end_the_call_in_its_opening() -> None:
    async with phone_call(one_node(goodbye, name="end"), OPENING) as phone:
        assert await phone.running == CallEnd("graph", "completed")
        assert phone.spoken() == ["Goodbye."]


async def test_p2_an_ending_in_a_subgraph_ends_the_call() -> None:
    async with phone_call(one_node(one_node(goodbye, name="end"), name="closing")) as phone:
        await phone.say("That is all.")
        assert await phone.running == CallEnd("graph", "completed")
        assert phone.spoken() == ["Goodbye."]


async def test_p2_ordinary_speech_ends_nothing() -> None:
    answers = [["In the end", " we say goodbye."], ["The <ending> is near."], ["Bye", ".<end>"]]
    async with phone_call(talking_graph(ScriptedModel(answers=answers))) as phone:
        await phone.say("Thanks, bye to high prices!")
        await phone.say("Okay, thanks.")
        assert "ending" not in phone.events.names
        await phone.say("Goodbye.")
        assert await phone.running == CallEnd("graph", "completed")


async def test_p7_two_endings_in_one_turn_are_one_hang_up() -> None:
    async def end(state: MessagesState) -> dict[str, Any]:
        end_call("first")
        end_call("second")
        return {"messages": [AIMessage("Bye.<end>")]}

    async with phone_call(one_node(end, name="end")) as phone:
        await phone.say("Bye.")
        assert await phone.running == CallEnd("graph", "second")
        assert phone.events.names.count("ending") == 1
        assert phone.line.removals == 1


async def test_p2_what_only_began_like_a_token_is_spoken() -> None:
    async with phone_call(
        talking_graph(ScriptedModel(answers=[["Press the key <e", "n"]]))
    ) as phone:
        await phone.say("Which key?")
        assert phone.spoken() == ["Press the key <en"]


class ForeignState(MessagesState):
    """Somebody else's state, whose ``event`` and ``ending`` mean other things."""

    event: str
    ending: list[int]


async def test_p2_another_projects_channels_of_the_same_name_are_left_alone() -> None:
    seen: list[ForeignState] = []

    async def talk(state: ForeignState) -> dict[str, Any]:
        seen.append(state)
        return {"messages": [AIMessage("Hello.")]}

    async with phone_call(one_node(talk, state=ForeignState), OPENING) as phone:
        await phone.say("Hello.")
    assert [sorted(state) for state in seen] == [["messages"], ["messages"]]


async def test_p2_a_graph_without_the_event_channel_is_told_of_the_opening_in_a_message() -> None:
    model = ScriptedModel(answers=[["Hello."]])
    async with phone_call(talking_graph(model), OPENING) as phone:
        assert phone.spoken() == ["Hello."]
    assert [message.type for message in model.calls[0]] == ["system"]


async def test_p2_a_graph_with_the_event_channel_gets_the_opening_there() -> None:
    seen: list[CallState] = []

    async def talk(state: CallState) -> dict[str, Any]:
        seen.append(state)
        return {"messages": [AIMessage("Hello.")]}

    async with phone_call(one_node(talk, state=CallState), OPENING) as phone:
        await phone.say("Hello.")
    assert [state.get("event") for state in seen] == [{"kind": "opening"}, None]
