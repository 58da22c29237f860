"""The front desk of a practice as a graph without a chat model; it records its runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import add
from typing import Annotated, Any, NamedTuple

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.pregel import Pregel
from pydantic import Field

from lastword.signals import CallState, end_call, say, turn_certain
from tests.fakes.scripted_graph import ScriptedModel

FIRST_WORDS = {
    "answer": "You said",
    "hours": "We open at nine. On",
    "book": "One",
    "leave": "Good",
    "misdialled": "Sorry to",
    "end": "Good",
    "crash": "Sorry, something",
}
"""The start of each node's answer, for a caller who interrupts it; ``quiet`` says nothing."""

_WHOLE_WORDS = {
    "bye": "end",
    "stop": "end",
    "that is all": "leave",
    "wrong number": "misdialled",
    "crash": "crash",
    "hm": "quiet",
}


def lead(words: str) -> str:
    """Return the name of the node that answers ``words``."""
    if words in _WHOLE_WORDS:
        return _WHOLE_WORDS[words]
    if "book" in words or "cancel" in words:
        return "book"
    return "hours" if "hours" in words else "answer"


class DeskState(CallState):
    """The state of the desk besides the messages."""

    turns: Annotated[int, add]
    topics: Annotated[list[str], add]


class AnsweringModel(ScriptedModel):
    """Streams an answer word by word; it depends only on the messages."""

    answers: list[Sequence[str]] = Field(default_factory=list)

    def _next(self, messages: list[BaseMessage]) -> Sequence[str]:
        if lead(messages[-1].text) == "leave":
            return ["Good ", "luck.", "<e", "nd>"]
        answer = f"You said {messages[-1].text} as message {len(messages)}."
        return [f"{word} " for word in answer.split()]


class Entry(NamedTuple):
    """The start of a run: the LiveKit item of the caller's words, and the graph's state."""

    item_id: str | None
    seen: dict[str, Any]


@dataclass
class Desk:
    """The nodes and a record of what they did; ``booked`` is their lasting side effect.

    ``farewells`` has the items of the runs that reached an ending; ``steps`` counts the nodes
    that were entered, ``settled`` the runs that are over or wait until their turn is certain.
    """

    booked: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    farewells: list[str | None] = field(default_factory=list)
    steps: int = 0
    settled: int = 0
    _waiting: set[asyncio.Future[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._model = AnsweringModel()

    def graph(self) -> Pregel[Any, Any, Any, Any]:
        """Listen, then route by the caller's words."""
        builder: StateGraph[Any, Any, Any, Any] = StateGraph(DeskState)
        builder.add_node("listen", self.listen)
        builder.add_edge(START, "listen")
        leaves = [self.greet, self.answer, self.hours, self.book, self.quiet, self.crash]
        leaves += [self.leave, self.misdialled, self.end]
        for node in leaves:
            builder.add_node(node.__name__, node)
            builder.add_edge(node.__name__, END)
        builder.add_conditional_edges("listen", _route, [node.__name__ for node in leaves])
        return builder.compile()

    async def listen(self, state: DeskState) -> dict[str, Any]:
        self.entries.append(Entry(_item_id(state), without_ids(dict(state))))
        self._step()
        return {"turns": 1}

    async def greet(self, state: DeskState) -> dict[str, Any]:
        self._step()
        return {"messages": [AIMessage("Hello.")]}

    async def answer(self, state: DeskState) -> dict[str, Any]:
        self._step()
        return {"messages": [await self._model.ainvoke(state["messages"])]}

    async def hours(self, state: DeskState) -> dict[str, Any]:
        self._step()
        said = [AIMessage("We open at nine."), AIMessage("On Friday at ten.")]
        return {"messages": said, "topics": ["hours"]}

    async def book(self, state: DeskState) -> dict[str, Any]:
        self._step()
        words = state["messages"][-1].text
        say("One moment.")
        self.settle()
        await turn_certain()
        self.booked.append(words)
        return {"messages": [AIMessage(f"Done: {words}.")], "topics": [words]}

    async def quiet(self, state: DeskState) -> dict[str, Any]:
        self._step()
        return {"topics": ["nothing"]}

    async def crash(self, state: DeskState) -> dict[str, Any]:
        self._step()
        raise ConnectionError("the line to the calendar is down")

    async def leave(self, state: DeskState) -> dict[str, Any]:
        self.farewells.append(_item_id(state))
        return await self.answer(state)

    async def misdialled(self, state: DeskState) -> dict[str, Any]:
        self._step()
        self.farewells.append(_item_id(state))
        end_call("wrong_person", {"turns": state["turns"]})
        return {"messages": [AIMessage("Sorry to have troubled you.")]}

    async def end(self, state: DeskState) -> dict[str, Any]:
        self._step()
        self.farewells.append(_item_id(state))
        return {"messages": [AIMessage("Goodbye.")], "topics": ["goodbye"]}

    def settle(self) -> None:
        """Count a run that is over, or that cannot continue while it is speculative."""
        self.settled += 1
        self._wake()

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until ``fact`` returns True as a result of this desk's runs."""
        while not fact():
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            await waiting

    def _step(self) -> None:
        self.steps += 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            self._waiting.pop().set_result(None)


def without_ids(values: dict[str, Any]) -> dict[str, Any]:
    """Return the state with messages reduced to kind and text, as ids differ between calls."""
    return {**values, "messages": [f"{m.type}: {m.text}" for m in values.get("messages", [])]}


def _route(state: DeskState) -> str:
    return lead(state["messages"][-1].text) if _item_id(state) else "greet"


def _item_id(state: DeskState) -> str | None:
    last = state["messages"][-1] if state["messages"] else None
    return last.id if isinstance(last, HumanMessage) else None
