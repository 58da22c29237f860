"""The caller does not wait for what the graph does after its last word (P5, P7)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from livekit.agents.voice.run_result import RunResult

from lastword.hangup.call_end import CallEnd
from lastword.signals import CallPolicy
from tests.fakes.phone import phone_call

Seen = list[list[str]]


class GatedMemory(InMemorySaver):
    """Once it is closed, it writes nothing until the test opens it; it may lose what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.lose = False

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        await self.gate.wait()
        if self.lose:
            self.lose = False
            raise ConnectionError("no database")
        return await super().aput(config, checkpoint, metadata, new_versions)


def graph(seen: Seen, at_end: Callable[[], object] = lambda: None) -> Pregel[Any, Any, Any, Any]:
    """Ends on "bye" and answers everything else; keeps what it is asked with."""

    async def listen(state: MessagesState) -> dict[str, Any]:
        seen.append([message.text for message in state["messages"]])
        return {}

    async def talk(state: MessagesState) -> dict[str, Any]:
        at_end()
        return {"messages": [AIMessage(f"Answer {len(seen)}.")]}

    async def end(state: MessagesState) -> dict[str, Any]:
        at_end()
        return {"messages": [AIMessage("Goodbye.")]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("listen", listen)
    builder.add_node("talk", talk)
    builder.add_node("end", end)
    builder.add_edge(START, "listen")
    builder.add_conditional_edges(
        "listen", lambda state: "end" if state["messages"][-1].text == "bye" else "talk"
    )
    builder.add_edge("talk", END)
    return builder.compile()


async def test_p7_the_hang_up_does_not_wait_for_the_graphs_memory() -> None:
    memory = GatedMemory()
    async with phone_call(graph([], memory.gate.clear), memory=memory) as phone:
        await phone.say("bye")
        await phone.events.until("call_ended")
        assert not memory.gate.is_set()
        assert phone.line.removals == 1
        assert not phone.running.done(), "the memory may be closed when the call is over"
        memory.gate.set()
        assert await phone.running == CallEnd("graph", "completed")


async def test_p7_the_hang_up_does_not_wait_for_what_comes_after_the_end_node() -> None:
    memory, tidy, tidied = GatedMemory(), asyncio.Event(), asyncio.Event()

    async def end(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("Goodbye.")]}

    async def tidy_up(state: MessagesState) -> dict[str, Any]:
        await tidy.wait()
        tidied.set()
        return {}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("end", end)
    builder.add_node("tidy_up", tidy_up)
    builder.add_edge(START, "end")
    builder.add_edge("end", "tidy_up")
    async with phone_call(builder.compile(), memory=memory) as phone:
        await phone.say("bye")
        await phone.events.until("call_ended")
        assert not tidied.is_set()
        tidy.set()
        assert await phone.running == CallEnd("graph", "completed")
        assert tidied.is_set()


async def test_p3_a_caller_who_stops_the_ending_is_answered_when_the_graph_is_done() -> None:
    memory, seen = GatedMemory(), Seen()

    def stop_writing() -> None:
        if len(seen) == 1:
            memory.gate.clear()

    async with phone_call(graph(seen, stop_writing), memory=memory) as phone:
        phone.mouth.hold, phone.mouth.played_text = True, "Good"
        turn: RunResult[Any] = phone.session.run(user_input="bye")
        await phone.mouth.captured.wait()
        await phone.session.interrupt(force=True)
        await turn
        phone.mouth.hold = False
        memory.gate.set()
        await phone.say("wait")
        assert phone.spoken() == ["Good", "Answer 2."]
    assert seen[-1] == ["bye", "Good", "wait"]


async def test_p5_what_could_not_be_written_is_known_all_the_same() -> None:
    memory, seen = GatedMemory(), Seen()

    def lose() -> None:
        memory.lose = len(seen) == 2

    async with phone_call(graph(seen, lose), memory=memory) as phone:
        for words in ("one", "two", "three"):
            await phone.say(words)
        apology = f"Answer 2. {CallPolicy().apology}"
        assert phone.spoken() == ["Answer 1.", apology, "Answer 3."]
    assert seen[-1] == ["one", "Answer 1.", "two", "Answer 2.", "three"]
