"""A graph that waits for a human asks the caller, and goes on with the answer (P5)."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import interrupt
from livekit.agents import AgentSession, ConversationItemAddedEvent
from livekit.agents.llm import ChatContext, ChatMessage
from livekit.agents.voice.run_result import RunResult

from lastword.bridge import GraphLLM
from lastword.errors import NoOpenQuestion
from lastword.hangup.call_end import CallEnd
from lastword.signals import CallPolicy, say
from tests.fakes.phone import Phone, phone_call

Graph = Pregel[Any, Any, Any, Any]
POLICY = CallPolicy(first_speaker="caller", tail=0)


class Notes(MessagesState):
    """Remembers what its nodes learnt."""

    notes: Annotated[list[str], operator.add]


def chain(*nodes: Any) -> StateGraph[Any, Any, Any, Any]:
    """A graph that runs ``nodes`` one after the other."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Notes)
    before = START
    for node in nodes:
        builder.add_node(node.__name__, node)
        builder.add_edge(before, node.__name__)
        before = node.__name__
    builder.add_edge(before, END)
    return builder


async def order(state: Notes) -> dict[str, Any]:
    """Two questions in one node."""
    size = interrupt("Which size?")
    colour = interrupt({"question": "Which colour?"})
    return {"messages": [AIMessage(f"One {size} one in {colour}.")], "notes": [size, colour]}


async def confirm(state: Notes) -> dict[str, Any]:
    return {"notes": [interrupt("Are you sure?")]}


async def end(state: Notes) -> dict[str, Any]:
    return {"messages": [AIMessage(f"Noted: {state['notes'][-1]} Goodbye.")]}


async def test_p5_the_question_is_spoken_and_the_answer_resumes_the_graph() -> None:
    async with phone_call(chain(confirm, end).compile()) as phone:
        await phone.say("Cancel it.")
        assert phone.spoken() == ["Are you sure?"]
        assert "ending" not in phone.events.names
        await phone.say("Yes.")
        assert await phone.running == CallEnd("graph", "completed")
        assert phone.spoken() == ["Are you sure?", "Noted: Yes. Goodbye."]


async def test_p5_two_questions_in_a_row_get_an_answer_each() -> None:
    async with phone_call(chain(order).compile()) as phone:
        for words in ("Order.", "Large.", "Red."):
            await phone.say(words)
        assert phone.spoken() == ["Which size?", "Which colour?", "One Large. one in Red.."]


async def test_p5_questions_of_two_nodes_get_an_answer_each() -> None:
    seen: list[list[str]] = []

    async def report(state: Notes) -> dict[str, Any]:
        seen.append(state["notes"])
        return {"messages": [AIMessage("Done.")]}

    async with phone_call(chain(confirm, order, report).compile()) as phone:
        for words in ("Order.", "Yes.", "Large.", "Red."):
            await phone.say(words)
        assert phone.spoken()[-1] == "One Large. one in Red.. Done."
    assert seen == [["Yes.", "Large.", "Red."]]


async def test_p5_nodes_that_ask_at_the_same_time_are_answered_one_after_the_other() -> None:
    async def drink(state: Notes) -> dict[str, Any]:
        return {"notes": [f"drink {interrupt('Which drink?')}"]}

    async def meal(state: Notes) -> dict[str, Any]:
        return {"notes": [f"meal {interrupt('Which meal?')}"]}

    async def report(state: Notes) -> dict[str, Any]:
        return {"messages": [AIMessage(" and ".join(sorted(state["notes"])))]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Notes)
    for node in (drink, meal, report):
        builder.add_node(node.__name__, node)
    for name in ("drink", "meal"):
        builder.add_edge(START, name)
    builder.add_edge(["drink", "meal"], "report")
    async with phone_call(builder.compile()) as phone:
        await phone.say("Hungry.")
        first = phone.spoken()[-1]
        answers = {"Which drink?": "tea", "Which meal?": "soup"}
        await phone.say(answers[first])
        second = phone.spoken()[-1]
        assert {first, second} == set(answers)
        await phone.say(answers[second])
        assert phone.spoken()[-1] == "drink tea and meal soup"


async def test_p5_a_question_in_a_subgraph_is_answered_there() -> None:
    outer: StateGraph[Any, Any, Any, Any] = StateGraph(Notes)
    outer.add_node("shop", chain(order).compile())
    outer.add_edge(START, "shop")
    async with phone_call(outer.compile()) as phone:
        for words in ("Order.", "Large.", "Red."):
            await phone.say(words)
        assert phone.spoken()[-1] == "One Large. one in Red.."


async def test_p5_a_question_that_was_cut_is_answered_all_the_same() -> None:
    async def greet(state: Notes) -> dict[str, Any]:
        return {"messages": [AIMessage("Good morning to you.")]}

    seen: list[list[str]] = []

    async def report(state: Notes) -> dict[str, Any]:
        seen.append([message.text for message in state["messages"]])
        return {"messages": [AIMessage("Fine.")]}

    async with phone_call(chain(greet, confirm, report).compile()) as phone:
        phone.mouth.hold, phone.mouth.played_text = True, "Good morning"
        turn: RunResult[Any] = phone.session.run(user_input="Cancel it.")
        await phone.mouth.captured.wait()
        await phone.session.interrupt(force=True)
        await turn
        phone.mouth.hold = False
        await phone.say("Yes, I am.")
        assert phone.spoken() == ["Good morning", "Fine."]
    assert seen == [["Cancel it.", "Good morning"]]


class SlowShop:
    """A node that works on the answer for as long as the test likes."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.go = asyncio.Event()
        self.answers: list[str] = []

    async def shop(self, state: Notes) -> dict[str, Any]:
        size = interrupt("Which size?")
        colour = interrupt("Which colour?")
        self.answers.append(f"{size} {colour}")
        self.reached.set()
        await self.go.wait()
        return {"messages": [AIMessage(f"{size} {colour}")]}


@pytest.mark.parametrize("inside", [False, True])
async def test_p5_a_caller_who_goes_on_while_the_answer_is_worked_on_is_heard(
    inside: bool,
) -> None:
    slow = SlowShop()
    builder = chain(slow.shop)
    if inside:
        outer: StateGraph[Any, Any, Any, Any] = StateGraph(Notes)
        outer.add_node("mall", builder.compile())
        outer.add_edge(START, "mall")
        builder = outer
    async with phone_call(builder.compile()) as phone:
        await phone.say("Order.")
        await phone.say("Large.")
        turn: RunResult[Any] = phone.session.run(user_input="Red.")
        await slow.reached.wait()
        await phone.session.interrupt(force=True)
        await turn
        slow.go.set()
        await phone.say("No, blue.")
        assert phone.spoken()[-1] == "Large. Red. No, blue."
    assert slow.answers == ["Large. Red.", "Large. Red. No, blue."]


async def test_p5_the_operator_can_answer_instead_of_the_caller() -> None:
    seen: list[Any] = []

    async def approve(state: Notes) -> dict[str, Any]:
        say("I have to ask my colleague.")
        seen.append(interrupt({"refund": 20}))
        return {"messages": [AIMessage("My colleague agrees.")]}

    async with phone_call(chain(approve).compile()) as phone:
        await phone.say("My money back.")
        assert phone.spoken() == ["I have to ask my colleague."]
        speech = await adapter(phone).answer({"approved": True})
        await speech
        assert phone.spoken()[-1] == "I have to ask my colleague. My colleague agrees."
    assert seen == [{"approved": True}]


async def test_p5_a_question_for_the_operator_is_not_answered_by_the_callers_words() -> None:
    refunds: list[int] = []
    seen: list[list[str]] = []

    async def refund(state: Notes) -> dict[str, Any]:
        if interrupt({"ticket": 5}):
            refunds.append(5)
        return {"messages": [AIMessage("It is on its way.")]}

    async def thank(state: Notes) -> dict[str, Any]:
        seen.append([message.text for message in state["messages"]])
        return {}

    async with phone_call(chain(refund, thank).compile(), POLICY) as phone:
        await phone.say("My money back.")
        assert phone.spoken() == [POLICY.still_waiting]
        for words in ("Hello?", "Still there?"):
            await phone.say(words)
            assert phone.spoken()[-1] == POLICY.still_waiting
        assert refunds == []
        await (await adapter(phone).answer(True))  # noqa: FBT003 - the answer
        assert phone.spoken()[-1] == "It is on its way."
    assert refunds == [5]
    assert seen == [["My money back.", "Hello?", "Still there?", "It is on its way."]]


async def test_p5_an_operator_may_answer_with_nothing_at_all() -> None:
    seen: list[Any] = []

    async def ask(state: Notes) -> dict[str, Any]:
        seen.append(interrupt("Any wishes?"))
        return {"messages": [AIMessage("Fine.")]}

    async with phone_call(chain(ask).compile()) as phone:
        await phone.say("Book it.")
        await (await adapter(phone).answer(None))
    assert seen == [None]


async def test_p5_a_question_that_two_people_answer_is_answered_once() -> None:
    slow = SlowShop()
    answers: list[str] = []

    async def book(state: Notes) -> dict[str, Any]:
        answers.append(interrupt("Shall I book it?"))
        slow.reached.set()
        await slow.go.wait()
        return {"messages": [AIMessage("Booked.")]}

    async with phone_call(chain(book).compile(), POLICY) as phone:
        await phone.say("A table.")
        speech = await adapter(phone).answer("yes")
        await slow.reached.wait()
        with pytest.raises(NoOpenQuestion):
            await adapter(phone).answer("yes, yes")
        second = phone.session.generate_reply(user_input="Yes.")
        slow.go.set()
        await speech
        await second
        assert answers == ["yes"]
        assert sorted(phone.spoken()) == ["Booked.", POLICY.still_waiting, "Shall I book it?"]


async def test_p5_an_operator_who_answers_nothing_is_told() -> None:
    async with phone_call(chain(confirm).compile()) as phone:
        with pytest.raises(NoOpenQuestion, match="no open question"):
            await adapter(phone).answer("yes")


async def test_p5_a_question_without_an_answer_is_asked_again() -> None:
    async with phone_call(chain(confirm).compile()) as phone:
        await phone.say("Cancel it.")
        await phone.session.generate_reply()
        assert phone.spoken() == ["Are you sure?", "Are you sure?"]


async def test_p5_a_graph_that_fails_over_the_answer_keeps_its_question() -> None:
    answers: list[str] = []

    async def careful(state: Notes) -> dict[str, Any]:
        answers.append(interrupt("Are you sure?"))
        if len(answers) == 1:
            raise RuntimeError("the database is down")
        return {"messages": [AIMessage("Done.")]}

    async with phone_call(chain(careful).compile(), POLICY) as phone:
        for words in ("Cancel it.", "Yes.", "I said yes."):
            await phone.say(words)
        assert phone.spoken() == ["Are you sure?", POLICY.apology, "Done."]
    assert answers == ["Yes.", "Yes. I said yes."]


async def test_p4_an_answer_is_not_given_before_the_caller_has_finished() -> None:
    graph_llm = GraphLLM(chain(confirm).compile(checkpointer=InMemorySaver()))
    history = ChatContext([ChatMessage(role="user", content=["Cancel it."])])
    asked = await graph_llm.chat(chat_ctx=history).collect()
    history.insert(ChatMessage(role="assistant", content=[asked.text], extra=asked.extra))
    session: AgentSession[None] = AgentSession()
    graph_llm.follow(session)
    history.insert(ChatMessage(role="user", content=["Yes"]))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await graph_llm.chat(chat_ctx=history).collect()
    finished = ChatMessage(role="user", content=["Yes and no"])
    history.items[-1] = finished
    session.emit("conversation_item_added", ConversationItemAddedEvent(item=finished))
    await graph_llm.chat(chat_ctx=history).collect()
    state = await graph_llm.graph.aget_state(
        {"configurable": {"thread_id": graph_llm.thread.graph.thread_id}},
    )
    assert state.values["notes"] == ["Yes and no"]


def adapter(phone: Phone) -> GraphLLM:
    assert isinstance(phone.session.llm, GraphLLM)
    return phone.session.llm
