"""Runs labelled cases through a graph: each case is a text call through the bridge."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from langgraph.pregel import Pregel
from livekit.agents import utils

from lastword.bridge.adapter import call_llm
from lastword.dispatch import Dispatch
from lastword.graphs_config import CallGraph
from lastword.signals import Silence
from lastword.testing.bare_chat import BareChat
from lastword.tools.evaluation.dataset import Case
from lastword.tools.evaluation.figures import Decision, Side
from lastword.untrusted.printable import without_secrets

History = Literal["given", "replayed"]
GOODBYES = ("Goodbye.", "Bye.", "Bye bye.")
"""What the caller says, one after the other, after a missed ending."""
UNKNOWN_MODEL = "unknown"
"""``GraphLLM.model`` if the graph called no model, or a model without a name."""
_SILENCE = 10.0
"""Seconds in a ``silence`` event if the policy has no ``silence_timeout``."""
_INBOUND = Dispatch(None, "inbound", {})
_BRIDGE_LOG = logging.getLogger("lastword.bridge")


@dataclass(frozen=True)
class CaseSetting:
    """How the cases are run, the same for all.

    Args:
        history: ``given``: the chat is filled with the case's history, and the graph has no
            memory; ``replayed``: the caller's lines are said one by one, and the graph has memory.
        dispatch: the dispatch of each call.
        more_context: returns the graph's own context keys; called once for each case.
    """

    history: History
    dispatch: Dispatch = _INBOUND
    more_context: Callable[[], Mapping[str, Any]] = dict


async def run_side(
    graph: CallGraph,
    cases: Sequence[Case],
    setting: CaseSetting,
    *,
    parallel: int,
    decided: Callable[[Decision], None] = lambda _: None,
) -> Side:
    """Run ``cases`` through ``graph``, at most ``parallel`` at once; call ``decided`` after each.

    The bridge limits each turn to the policy's ``turn_timeout``. A case that fails is a decision
    with the outcome ``failed``.
    """
    free = asyncio.Semaphore(parallel)
    models: set[str] = set()

    async def run(case: Case, errors: _ErrorLog) -> Decision:
        async with free:
            call = await asyncio.to_thread(_CaseCall, graph, setting)
            decision = await _run_case(case, call, errors)
            models.add(call.graph_llm.model)
            decided(decision)
            return decision

    with _bridge_errors() as errors:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(run(case, errors)) for case in cases]
    models.discard(UNKNOWN_MODEL)
    return Side(
        graph.name,
        ", ".join(sorted(models)) or UNKNOWN_MODEL,
        tuple(task.result() for task in running),
    )


@dataclass(frozen=True)
class _Reply:
    """The graph's answer to one turn; ``reason`` is None if the call goes on."""

    said: str
    reason: str | None
    failed: bool
    seconds: float


class _CaseCall:
    """A call of ``graph`` for one case, with its own thread and memory.

    The constructor blocks while the project creates the call's context.
    """

    def __init__(self, graph: CallGraph, setting: CaseSetting) -> None:
        self.id = utils.shortuuid("case-")
        self.history = setting.history
        self.policy = graph.policy
        self.graph_llm = call_llm(
            self.id,
            _with_own_memory(graph, setting.history),
            setting.dispatch,
            more_context=setting.more_context(),
        )
        self._chat = BareChat(self.graph_llm)

    def recall(self, case: Case) -> None:
        """Fill the chat with what was said before the caller's last line."""
        for line in case.history[:-1]:
            self._chat.add("assistant" if line.role == "agent" else "user", line.text)

    async def open(self) -> _Reply:
        """Let the graph speak first."""
        return await self._answer()

    async def say(self, words: str) -> _Reply:
        """The caller says ``words``; blank ``words`` become a ``silence`` event, as in a call."""
        if words.strip():
            self._chat.add("user", words)
        else:
            seconds = self.policy.silence_timeout or _SILENCE
            reminders = self.policy.silence_reminders
            self._chat.happens(Silence(kind="silence", count=1, of=reminders, seconds=seconds))
        return await self._answer()

    async def _answer(self) -> _Reply:
        answer = await self._chat.answer()
        return _Reply(
            answer.said,
            None if answer.ending is None else answer.ending["reason"],
            failed=bool(answer.pointer and answer.pointer["failures"]),
            seconds=answer.seconds,
        )


def _with_own_memory(graph: CallGraph, history: History) -> CallGraph:
    """The graph without its own checkpointer, so that nothing is stored there.

    For ``replayed`` it remembers the call in this process; for ``given`` it has no memory.
    """
    if not isinstance(graph.graph, Pregel):
        return graph
    checkpointer = None if history == "replayed" else False
    return replace(graph, graph=graph.graph.copy({"checkpointer": checkpointer}))


async def _run_case(case: Case, call: _CaseCall, errors: _ErrorLog) -> Decision:
    try:
        try:
            decision = await _decide(case, call)
        finally:
            await call.graph_llm.aclose()
    except Exception as error:  # noqa: BLE001 - a graph may raise anything; the other cases go on
        return Decision(case, "failed", why=_in_one_line(error))
    if decision.outcome != "failed":
        return decision
    why = "; ".join(filter(None, (errors.of_call(call.id), decision.why)))
    return replace(decision, why=why)


async def _decide(case: Case, call: _CaseCall) -> Decision:
    """Run the conversation of the case; the graph's last answer is the decision."""
    if call.history == "replayed":
        return await _replay(case, call)
    call.recall(case)
    before = [line.text for line in case.history[:-1] if line.role == "agent"]
    return await _last_turn(case, call, before[-1] if before else "")


async def _replay(case: Case, call: _CaseCall) -> Decision:
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


async def _last_turn(case: Case, call: _CaseCall, asked: str) -> Decision:
    """Say the caller's last line; after a missed ending, say goodbye."""
    reply = await call.say(case.last)
    if reply.failed:
        return Decision(case, "failed", asked, reply.said)
    if reply.reason is not None:
        return Decision(case, "ended", asked, reply.said, reply.reason, reply.seconds)
    late = await _goodbyes_until_end(call) if case.label == "end" else None
    return Decision(case, "went_on", asked, reply.said, seconds=reply.seconds, late=late)


async def _goodbyes_until_end(call: _CaseCall) -> int | None:
    """Number of goodbyes until the graph ends the call; None if it does not, or fails."""
    for number, goodbye in enumerate(GOODBYES, 1):
        reply = await call.say(goodbye)
        if reply.failed:
            return None
        if reply.reason is not None:
            return number
    return None


class _ErrorLog(logging.Handler):
    """Keeps the error of the last failed run of each call, by the name of its thread."""

    def __init__(self) -> None:
        super().__init__()
        self._errors: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the error of a failed run; ignore other records."""
        thread = getattr(record, "graph_thread", None)
        if thread is not None and record.exc_info and record.exc_info[1]:
            self._errors[thread] = _in_one_line(record.exc_info[1])

    def of_call(self, call_id: str) -> str:
        """The error of the call, or ""."""
        return self._errors.get(call_id, "")


@contextmanager
def _bridge_errors() -> Iterator[_ErrorLog]:
    """Collect the errors that the bridge logs, without printing its log."""
    errors = _ErrorLog()
    propagates, _BRIDGE_LOG.propagate = _BRIDGE_LOG.propagate, False
    _BRIDGE_LOG.addHandler(errors)
    try:
        yield errors
    finally:
        _BRIDGE_LOG.removeHandler(errors)
        _BRIDGE_LOG.propagate = propagates


def _in_one_line(error: BaseException) -> str:
    why = without_secrets(" ".join(str(error).split()))
    return f"{type(error).__name__}: {why}".rstrip(": ")
