"""One case as a call: the bridge as it is in a call, but without a line, and typed words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from langgraph.pregel import Pregel
from livekit.agents import utils

from lastword.bridge import GraphLLM
from lastword.bridge.bare_chat import BareChat
from lastword.call_context import fitting
from lastword.dispatch import Direction
from lastword.graphs_config import CallGraph
from lastword.memory.memory_types import remembering
from lastword.signals import CallContext, CallPolicy, Silence
from lastword.testing.project_under_test import ContextFactory, no_context
from lastword.tools.evaluation.dataset import Case
from lastword.tools.evaluation.decision import Decision

History = Literal["given", "replayed"]
GOODBYES = ("Goodbye.", "Bye.", "Bye bye.")
"""What a caller says to whom the line should have been cut, one after the other."""
_PATIENCE = 10.0
"""Seconds of a silence, where the policy does not watch for it."""


@dataclass(frozen=True)
class CaseSetting:
    """How the cases are held, the same for all.

    Args:
        history: ``given``: the graph gets what both sides have said, and remembers nothing of its
            own; ``replayed``: the caller's lines are said one by one, and the graph has a memory.
        folder: each call gets a folder of its own in it, for ``project_context``.
        direction: as in a dispatch.
        metadata: as in a dispatch.
        project_context: gives each call keys of the graph's own context.
    """

    history: History
    folder: Path
    direction: Direction = "inbound"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    project_context: ContextFactory = no_context


@dataclass(frozen=True)
class Reply:
    """The graph's answer to one turn; ``reason`` is that of the ending, None without one."""

    said: str
    reason: str | None
    failed: bool
    seconds: float


class CaseCall:
    """A call of ``graph`` for one case, with its own thread, memory and context.

    Blocks while the project makes the context.
    """

    def __init__(self, graph: CallGraph, setting: CaseSetting) -> None:
        self.id = utils.shortuuid("case-")
        self.policy: CallPolicy = graph.policy
        self.graph_llm = _graph_llm(graph, setting, self.id)
        self._chat = BareChat(self.graph_llm)

    def recall(self, case: Case) -> None:
        """Put what both sides have said before the caller's last line into the chat."""
        for line in case.history[:-1]:
            self._chat.add("assistant" if line.role == "agent" else "user", line.text)

    async def open(self) -> Reply:
        """The call is connected, and the graph has the first word."""
        return await self._answer()

    async def say(self, words: str) -> Reply:
        """The caller says ``words``; without any the graph hears of a silence, as in a call."""
        if words.strip():
            self._chat.add("user", words)
        else:
            self._chat.happens(_silence(self.policy))
        return await self._answer()

    async def _answer(self) -> Reply:
        answer = await self._chat.answer()
        return Reply(
            answer.said,
            None if answer.ending is None else answer.ending["reason"],
            failed=bool(answer.pointer and answer.pointer["failures"]),
            seconds=answer.seconds,
        )


async def decide(case: Case, call: CaseCall, history: History) -> Decision:
    """Hold the case's conversation and see what the graph decides at its end."""
    if history == "given":
        call.recall(case)
        before = [line.text for line in case.history[:-1] if line.role == "agent"]
        return await _last_turn(case, call, before[-1] if before else "")
    return await _replay(case, call)


async def _replay(case: Case, call: CaseCall) -> Decision:
    """Say the caller's lines; the graph may fail, or end the call, before the last one."""
    lines = [line.text for line in case.history if line.role == "user"]
    opens = call.policy.first_speaker == "agent"
    asked = ""
    for number, words in enumerate([None, *lines[:-1]] if opens else lines[:-1], 0 if opens else 1):
        reply = await (call.open() if words is None else call.say(words))
        why = f"after line {number} of the caller's {len(lines)}"
        if reply.failed:
            return Decision(case, "failed", asked, reply.said, why=why)
        if reply.reason is not None:
            return Decision(case, "early", asked, reply.said, reply.reason, why=why)
        asked = reply.said
    return await _last_turn(case, call, asked)


async def _last_turn(case: Case, call: CaseCall, asked: str) -> Decision:
    """Say the caller's last line; a missed ending is waited for."""
    reply = await call.say(case.last)
    if reply.failed:
        return Decision(case, "failed", asked, reply.said)
    if reply.reason is not None:
        return Decision(case, "ended", asked, reply.said, reply.reason, reply.seconds)
    late = await _late(call) if case.label == "end" else None
    return Decision(case, "went_on", asked, reply.said, seconds=reply.seconds, late=late)


async def _late(call: CaseCall) -> int | None:
    """Say goodbye until the graph ends the call; a failure ends nothing."""
    for number, goodbye in enumerate(GOODBYES, 1):
        reply = await call.say(goodbye)
        if reply.failed:
            return None
        if reply.reason is not None:
            return number
    return None


def _graph_llm(graph: CallGraph, setting: CaseSetting, call_id: str) -> GraphLLM:
    folder = setting.folder / call_id
    folder.mkdir()
    call = CallContext(
        call_id=call_id, direction=setting.direction, metadata=dict(setting.metadata)
    )
    context = {**setting.project_context(folder), **call}
    compiled = graph.graph
    if isinstance(compiled, Pregel):
        # Never its own memory: nothing of an evaluation is to stay there.
        if setting.history == "replayed":
            compiled = remembering(compiled, more=graph.policy.state_types)
        else:
            compiled = compiled.copy({"checkpointer": None})
    return GraphLLM(
        compiled,
        policy=graph.policy,
        config={"configurable": {"thread_id": call_id}},
        context=fitting(context, getattr(compiled, "context_schema", None)),
    )


def _silence(policy: CallPolicy) -> Silence:
    seconds = policy.silence_timeout or _PATIENCE
    return Silence(kind="silence", count=1, of=policy.silence_reminders, seconds=seconds)
