"""Compare the costs of upstream's adapter and GraphLLM in a long call: first word, CPU of a turn.

``python -m benchmarks.bridge [--turns 500] [--write]`` runs one call with each adapter in one
process. The calls alternate turn by turn, so that other load on the machine affects both. Each has
its own checkpointer and LiveKit history. Nothing waits for a model or a network: what is measured
is the work of adapter, LangGraph and LiveKit. ``--write`` writes the figures into docs/adapters.md.
The exit code is 1 if GraphLLM costs more than upstream over the whole call.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from livekit.agents.llm import LLM, ChatContext, ChatMessage

from benchmarks.adapter_call import OURS, UPSTREAM, Graph
from benchmarks.document import ADAPTERS, table, write_part
from lastword.terminal import SafeConsole
from tests.fakes.scripted_graph import ScriptedModel

WARM_UP = 30
BLOCKS = ((1, 20), (21, 100), (101, 250), (251, 500))
ASKED = "Do you have anything next week, in the morning if possible?"
ANSWER = "Yes, I can offer you Tuesday at ten or Thursday at two."
TOKENS = [f"{word} " for word in ANSWER.split()]


class TwelveTokens(ScriptedModel):
    """Always gives the same answer, one token per turn of the event loop; records nothing."""

    def _next(self, messages: list[BaseMessage]) -> Sequence[str]:  # noqa: ARG002 - the answer is fixed
        return TOKENS


def two_nodes() -> Graph:
    """A graph of two nodes: one that does nothing, and one that asks the model."""
    model = TwelveTokens(answers=[], pause=partial(asyncio.sleep, 0))

    async def prepare(state: MessagesState) -> None:  # noqa: ARG001 - it does nothing
        return None

    async def talk(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("prepare", prepare)
    builder.add_node("talk", talk)
    builder.add_edge(START, "prepare")
    builder.add_edge("prepare", "talk")
    return builder.compile(checkpointer=InMemorySaver())


class Cost(NamedTuple):
    """Seconds of one turn: until the first word, and CPU time of the whole turn."""

    first: float
    cpu: float


@dataclass
class MeasuredCall:
    """One call, and the costs of its turns."""

    adapter: LLM[Any]
    history: ChatContext = field(default_factory=ChatContext.empty)
    costs: list[Cost] = field(default_factory=list)

    async def turn(self) -> None:
        """Run one turn, and add the answer to the history as LiveKit does."""
        self.history.insert(ChatMessage(role="user", content=[ASKED]))
        text, first = "", 0.0
        extra: dict[str, Any] = {}
        cpu, began = time.process_time(), time.perf_counter()
        async with self.adapter.chat(chat_ctx=self.history) as stream:
            async for chunk in stream:
                if chunk.delta and chunk.delta.content:
                    first = first or time.perf_counter() - began
                    text += chunk.delta.content
                if chunk.delta and chunk.delta.extra:
                    extra |= chunk.delta.extra
        self.costs.append(Cost(first, time.process_time() - cpu))
        self.history.insert(ChatMessage(role="assistant", content=[text], extra=extra))


async def run_calls(turns: int) -> tuple[MeasuredCall, MeasuredCall]:
    """Run both calls, turn by turn; they alternate in which goes first."""
    calls = [MeasuredCall(adapter.make(two_nodes())) for adapter in (UPSTREAM, OURS)]
    upstream, ours = calls
    gc.collect()
    gc.disable()
    try:
        for number in range(turns):
            for call in calls:
                await call.turn()
            calls.reverse()
            if number % 25 == 0:
                gc.collect()
    finally:
        gc.enable()
    return upstream, ours


async def measure(turns: int) -> tuple[MeasuredCall, MeasuredCall]:
    """Run two short calls to warm up, then the calls that are measured."""
    await run_calls(WARM_UP)
    return await run_calls(turns)


def ratio(upstream: Sequence[float], ours: Sequence[float]) -> float:
    """GraphLLM's cost divided by upstream's: the median of the turns' ratios."""
    return statistics.median(b / a for a, b in zip(upstream, ours, strict=True))


def cells(upstream: MeasuredCall, ours: MeasuredCall, turns: slice) -> list[str]:
    """Cells of a row: both medians and the ratio, first for the first word, then for CPU time."""
    found: list[str] = []
    for which in range(len(Cost._fields)):
        costs = [[cost[which] for cost in call.costs[turns]] for call in (upstream, ours)]
        found += [f"{statistics.median(one) * 1000:.1f} ms" for one in costs]
        found += [f"**{ratio(*costs):.2f}**"]
    return found


def growth(call: MeasuredCall, last: slice) -> list[str]:
    """The median costs of the last turns, divided by those of the first."""
    first = slice(BLOCKS[0][0] - 1, BLOCKS[0][1])
    found: list[str] = []
    for which in range(len(Cost._fields)):
        medians = [statistics.median(c[which] for c in call.costs[part]) for part in (first, last)]
        found += [f"{medians[1] / medians[0]:.1f} times"]
    return found


def report(upstream: MeasuredCall, ours: MeasuredCall) -> str:
    """The figures as a Markdown table."""
    turns = len(ours.costs)
    blocks = [slice(first - 1, last) for first, last in BLOCKS if first <= turns]
    rows = [
        (f"{part.start + 1} to {min(part.stop, turns)}", *cells(upstream, ours, part))
        for part in blocks
    ]
    rows.append((f"all {turns}", *cells(upstream, ours, slice(turns))))
    (a, b), (c, d) = (growth(call, blocks[-1]) for call in (upstream, ours))
    rows.append(("last turns ÷ first turns", a, c, "", b, d, ""))
    head = ["turns"]
    for what in ("first word", "CPU of a turn"):
        head += [f"{what}: `LLMAdapter`", "`GraphLLM`", "ratio"]
    return table(tuple(head), *rows)


def machine() -> str:
    """The date and the machine of the measurement."""
    today = datetime.now(UTC).strftime("%-d %b %Y")
    return f"Medians, {today}, {os.cpu_count()} cores, Python {platform.python_version()}; "


def main() -> None:
    """Run the benchmark; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=BLOCKS[-1][1])
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    upstream, ours = asyncio.run(measure(arguments.turns))
    text = f"{machine()}the ratio is the median of the turns' ratios.\n\n{report(upstream, ours)}"
    SafeConsole(soft_wrap=True).print(text)
    if arguments.write:
        write_part(ADAPTERS, "costs", text)
    higher = [
        name
        for which, name in enumerate(Cost._fields)
        if ratio([c[which] for c in upstream.costs], [c[which] for c in ours.costs]) > 1
    ]
    raise SystemExit(f"GraphLLM costs more than upstream: {', '.join(higher)}" if higher else 0)


if __name__ == "__main__":
    main()
