"""Drive a graph turn by turn with typed lines, as the bridge does with recognised speech."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph

from graphs.store import PracticeContext, Store
from lastword.signals import CallEvent, is_end_call


@dataclass
class TypedTurn:
    """The result of one turn: what was said, by which nodes, and the signals sent meanwhile."""

    said: str
    nodes: list[str]
    model_streams: list[str]
    signals: list[Any]
    ending: dict[str, Any] | None


@dataclass
class Conversation:
    """A call of ``builder``'s graph with a new store in ``folder``."""

    builder: StateGraph[Any, PracticeContext, Any, Any]
    folder: Path
    metadata: dict[str, Any] = field(default_factory=dict)
    caller: str = ""
    turns: list[TypedTurn] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.graph = self.builder.compile(checkpointer=InMemorySaver())
        self.config = RunnableConfig(configurable={"thread_id": "typed"})
        path = self.folder / "store.sqlite3"
        self.store = Store(path)
        self.context = PracticeContext(
            call_id="call-1", store_path=str(path), metadata=self.metadata, caller=self.caller
        )

    async def open(self) -> TypedTurn:
        """Connect the call; the graph speaks first."""
        return await self._turn({"messages": [], "event": {"kind": "opening"}, "ending": None})

    async def happens(self, event: CallEvent) -> TypedTurn:
        """Send a call event without any words of the caller."""
        return await self._turn({"messages": [], "event": event, "ending": None})

    async def say(self, line: str, event: CallEvent | None = None) -> TypedTurn:
        """Say ``line`` as the caller."""
        message = HumanMessage(line)
        return await self._turn({"messages": [message], "event": event, "ending": None})

    async def talk(self, *lines: str) -> TypedTurn:
        """Open the call and say ``lines`` in order; return the last turn."""
        turn = await self.open()
        for line in lines:
            turn = await self.say(line)
        return turn

    async def state(self) -> dict[str, Any]:
        """Return the graph's current state."""
        values: dict[str, Any] = (await self.graph.aget_state(self.config)).values
        return values

    async def _turn(self, graph_input: dict[str, Any]) -> TypedTurn:
        before = {message.id for message in (await self.state()).get("messages", [])}
        nodes: list[str] = []
        streams: list[str] = []
        signals: list[Any] = []
        async for part in self.graph.astream(
            graph_input,
            self.config,
            context=self.context,
            stream_mode=["updates", "messages", "custom"],
            version="v2",
        ):
            match part["type"]:
                case "updates":
                    nodes += part["data"]
                case "messages":
                    streams.append(part["data"][1]["langgraph_node"])
                case "custom":
                    signals.append(part["data"])
                case _:
                    pass
        state = await self.state()
        said = [
            message.text
            for message in state["messages"]
            if isinstance(message, AIMessage) and message.id not in before
        ]
        turn = TypedTurn(" ".join(filter(None, said)), nodes, streams, signals, state.get("ending"))
        self.turns.append(turn)
        return turn


def ended(turn: TypedTurn) -> bool:
    """Return True if the turn carries one of the three signs of an ending."""
    return "end" in turn.nodes or "<end>" in turn.said or any(map(is_end_call, turn.signals))
