"""Replays a transcript at one of the levels, and says what did not go as it is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel

from lastword.dispatch import read_dispatch_of
from lastword.errors import ConversationError
from lastword.extras import needs
from lastword.graphs_config import CallGraph
from lastword.testing.cassette import Cassette, cassette_path, read_cassette
from lastword.testing.chat_models import asking, models_of
from lastword.testing.checks import Fault, check_call, check_reply
from lastword.testing.coverage import Taken
from lastword.testing.levels.driver import CallDriver, NotSaid, driven_call
from lastword.testing.model_answers import ModelAnswers
from lastword.testing.project_under_test import ProjectUnderTest
from lastword.testing.reply import Reply, WholeCall
from lastword.testing.transcripts.transcript import (
    AgentTurn,
    CallerSays,
    Cut,
    Exchange,
    HangsUp,
    Level,
    Transcript,
    Trigger,
)
from lastword.testing.wording import heard_until


@dataclass(frozen=True)
class Played:
    """One exchange of a conversation, as it went."""

    exchange: Exchange
    reply: Reply
    faults: Sequence[Fault] = ()


@dataclass
class Replayed:
    """A conversation that was had."""

    transcript: Transcript
    level: Level
    played: list[Played] = field(default_factory=list)
    call: WholeCall | None = None
    """None: it broke off."""
    faults: list[Fault] = field(default_factory=list)
    """Everything that is wrong, in the order of the file."""
    taken: Taken | None = None
    """What the graph took, when it ran in another process."""

    @property
    def passed(self) -> bool:
        """Whether all went as it is written."""
        return not self.faults


Show = Callable[[Played], Awaitable[None]]


@dataclass(frozen=True)
class Manner:
    """How conversations are replayed.

    ``live``: the real chat model answers; ``record``: it does, and its answers are kept.
    ``context`` has keys of the graph's own context; they win over those that ``project`` gives.
    ``judge`` is told what the agent has said and what was meant, and says what is wrong, "" for
    nothing.
    """

    level: Level = "graph"
    live: bool = False
    record: bool = False
    project: ProjectUnderTest = field(default_factory=ProjectUnderTest)
    context: Mapping[str, Any] = field(default_factory=dict)
    observers: Sequence[BaseCallbackHandler] = ()
    judge: Callable[[str, str], Awaitable[str]] | None = None

    async def call_context(self, folder: Path) -> Mapping[str, Any]:
        """The keys for one call; ``folder`` is empty and is the call's own."""
        return {**await asyncio.to_thread(self.project.call_context, folder), **self.context}


async def run_transcript(
    transcript: Transcript, graph: CallGraph, manner: Manner | None = None, show: Show | None = None
) -> Replayed:
    """Run a conversation in this process: at the level ``graph`` or ``session``.

    Args:
        transcript: the conversation.
        graph: the graph and its policy.
        manner: how it is run; default: with the graph alone.
        show: called with every exchange when it is over.

    Raises:
        TranscriptError, MetadataError, MissingExtra: as ``had``.
    """
    manner = manner or Manner()
    done = Replayed(transcript, manner.level)
    async with had(transcript, graph, manner) as (call, answers):
        await _Conversation(done, answers, manner, show).have(call)
        done.call = WholeCall([one.reply for one in done.played], call.end, call.hang_ups)
    if done.passed:
        done.faults += check_call(transcript, done.call)
    return done


@asynccontextmanager
async def had(
    transcript: Transcript, graph: CallGraph, manner: Manner
) -> AsyncIterator[tuple[CallDriver, ModelAnswers]]:
    """A call for a conversation, with its clock, its models' answers and its context.

    Raises:
        TranscriptError: its cassette cannot be read.
        MetadataError: its metadata is no dispatch's.
    """
    cassette = await asyncio.to_thread(cassette_of, transcript, manner)
    answers = answers_of(cassette, manner)
    models = await asyncio.to_thread(models_of, graph.graph)
    scratch = await asyncio.to_thread(partial(TemporaryDirectory, prefix="lastword-"))
    try:
        context = await manner.call_context(Path(scratch.name))
        with as_written(transcript, answers, models):
            dispatch = read_dispatch_of(transcript.metadata)
            spoken = manner.level == "session"
            async with driven_call(
                graph, dispatch, [*manner.observers, answers], context, spoken=spoken
            ) as call:
                yield call, answers
    finally:
        await asyncio.to_thread(scratch.cleanup)
    await asyncio.to_thread(answers.keep)


@contextmanager
def as_written(
    transcript: Transcript, answers: ModelAnswers, models: Sequence[BaseChatModel]
) -> Iterator[None]:
    """Give this process the clock of a transcript, and its chat models the answers.

    Raises:
        MissingExtra: it has a clock, and what moves the process's time is not installed.
    """
    with ExitStack() as around:
        around.enter_context(asking(answers, models))
        if transcript.clock is not None:
            needs("a conversation with a `clock`", "testing")
            import time_machine  # noqa: PLC0415 - an extra

            around.enter_context(time_machine.travel(transcript.clock.astimezone(), tick=True))
        yield


def answers_of(cassette: Cassette | None, manner: Manner) -> ModelAnswers:
    """What answers the questions of a conversation that is had in this manner."""
    return ModelAnswers(
        cassette,
        records=manner.record,
        live=manner.live,
        offline=manner.project.offline_models,
    )


class _Conversation:
    """A conversation that is being had."""

    def __init__(
        self, done: Replayed, answers: ModelAnswers, manner: Manner, show: Show | None
    ) -> None:
        self._done = done
        self._show = show
        self._answers = answers
        self._manner = manner

    async def have(self, call: CallDriver) -> None:
        """Have it to its end, or to the first thing that goes wrong."""
        exchanges = self._done.transcript.exchanges
        nexts = [*(one.trigger for one in exchanges[1:]), None]
        for number, (exchange, after) in enumerate(zip(exchanges, nexts, strict=True)):
            cut = after if isinstance(after, CallerSays | HangsUp) and after.over else None
            await self._exchange(call, exchange, cut, is_first=number == 0)
            if self._done.faults:
                return

    async def _exchange(
        self, call: CallDriver, exchange: Exchange, cut: Cut | None, *, is_first: bool
    ) -> None:
        expected, trigger = exchange.expected, exchange.trigger
        self._answers.expect(expected.model if expected else ())
        faults: list[Fault] = []
        reply = Reply()
        try:
            if is_first:
                reply = await call.open(cut)
            elif trigger is None:
                why = "the agent has had its turn; the caller must do something first"
                faults.append(Fault(exchange.line, "agent", why))
            elif call.end is not None and not self._was_said_over(trigger):
                why = f"the call was over before this, ended by {call.end.ended_by}"
                faults.append(Fault(exchange.line, "ended", f"{why}: {call.end.reason}"))
            else:
                reply = await call.take(trigger, cut)
        except NotSaid as error:
            faults.append(not_said(error, cut or exchange))
        except ConversationError as error:
            faults.append(Fault(exchange.line, "turns", str(error)))
        if not faults and cut and cut.over and heard_until(reply.said, cut.over) is None:
            faults.append(not_said(NotSaid(cut.over, reply.said), cut))
        faults = model_faults(self._answers, exchange) or faults
        if expected is not None and not faults:
            faults += check_reply(expected, reply)
            faults += await intent_faults(self._manner, expected, reply)
        played = Played(exchange, reply, faults)
        self._done.played.append(played)
        self._done.faults += faults
        if self._show is not None:
            await self._show(played)

    def _was_said_over(self, trigger: Trigger) -> bool:
        """Whether it belongs to the exchange in which the call ended."""
        before = self._done.played[-2:-1]
        over = isinstance(trigger, CallerSays | HangsUp) and trigger.over is not None
        return over and not (before and before[0].reply.is_over)


async def intent_faults(manner: Manner, expected: AgentTurn, reply: Reply) -> list[Fault]:
    """What the judge, if there is one, finds wrong with an answer."""
    if manner.judge is None or expected.intent is None:
        return []
    why = await manner.judge(reply.said, expected.intent)
    return [Fault(expected.line, "intent", why, expected.intent, reply.said)] if why else []


def not_said(error: NotSaid, at: Cut | Exchange) -> Fault:
    """The fault of a turn that was to come over words that were not said."""
    return Fault(at.line, "over", str(error), error.words, error.said)


def model_faults(answers: ModelAnswers, exchange: Exchange) -> list[Fault]:
    """Questions to a model without an answer, and answers without a question."""
    line = exchange.expected.line if exchange.expected else exchange.line
    missing = [Fault(line, "model", why) for why in answers.missing]
    answers.missing.clear()
    if answers.left and not missing:
        missing.append(unasked(len(answers.left), line))
    return missing


def unasked(number: int, line: int) -> Fault:
    """The fault of so many answers that no model was asked for."""
    what = "is one more answer" if number == 1 else f"are {number} more answers"
    return Fault(line, "model", f"there {what} than questions to the model")


def cassette_of(transcript: Transcript, manner: Manner) -> Cassette | None:
    """The cassette of a transcript, a new one when its answers are recorded; None: it has none.

    Raises:
        TranscriptError: it cannot be read.
    """
    if not transcript.path.name:  # it is in no file
        return None
    path = cassette_path(transcript.path)
    if manner.record:
        return Cassette(path)
    return read_cassette(path) if path.is_file() and not manner.live else None
