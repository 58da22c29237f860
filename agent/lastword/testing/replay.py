"""Replays a transcript at one of the levels, and reports where the call differs from it."""

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
    """One replayed exchange of a conversation, with its result."""

    exchange: Exchange
    reply: Reply
    faults: Sequence[Fault] = ()


@dataclass
class Replayed:
    """A replayed conversation."""

    transcript: Transcript
    level: Level
    played: list[Played] = field(default_factory=list)
    call: WholeCall | None = None
    """None: the replay broke off."""
    faults: list[Fault] = field(default_factory=list)
    """All faults, in the order of the file."""
    taken: Taken | None = None
    """The edges that the graph took, when it ran in another process."""

    @property
    def passed(self) -> bool:
        """Whether the conversation matches its transcript."""
        return not self.faults


Show = Callable[[Played], Awaitable[None]]


@dataclass(frozen=True)
class Manner:
    """How conversations are replayed.

    ``live``: the real chat model answers; ``record``: it answers, and the answers are saved.
    ``context`` has keys for the graph's own context; they override those of ``project``.
    ``judge`` is called with the agent's words and the intent, and returns what is wrong; "" means
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
        """Return the context keys for one call; ``folder`` is empty and belongs to this call."""
        return {**await asyncio.to_thread(self.project.call_context, folder), **self.context}


async def run_transcript(
    transcript: Transcript, graph: CallGraph, manner: Manner | None = None, show: Show | None = None
) -> Replayed:
    """Replay a conversation in this process, at the level ``graph`` or ``session``.

    Args:
        transcript: the conversation.
        graph: the graph and its policy.
        manner: how to replay it; default: at the level ``graph``.
        show: called with every exchange after it is over.

    Raises:
        TranscriptError, MetadataError, MissingExtra: as ``open_conversation``.
    """
    manner = manner or Manner()
    done = Replayed(transcript, manner.level)
    async with open_conversation(transcript, graph, manner) as (call, answers):
        await _Conversation(done, answers, manner, show).run(call)
        done.call = WholeCall([one.reply for one in done.played], call.end, call.hang_ups)
    if done.passed:
        done.faults += check_call(transcript, done.call)
    return done


@asynccontextmanager
async def open_conversation(
    transcript: Transcript, graph: CallGraph, manner: Manner
) -> AsyncIterator[tuple[CallDriver, ModelAnswers]]:
    """Open the call of a conversation, with its clock, model answers and context.

    Raises:
        TranscriptError: the cassette cannot be read.
        MetadataError: the transcript's metadata is not valid metadata of a dispatch.
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
    """Set this process's clock to the transcript's, and let ``answers`` answer for its chat models.

    Raises:
        MissingExtra: the transcript has a clock, and ``time-machine`` is not installed.
    """
    with ExitStack() as around:
        around.enter_context(asking(answers, models))
        if transcript.clock is not None:
            needs("a conversation with a `clock`", "testing")
            import time_machine  # noqa: PLC0415 - an extra

            around.enter_context(time_machine.travel(transcript.clock.astimezone(), tick=True))
        yield


def answers_of(cassette: Cassette | None, manner: Manner) -> ModelAnswers:
    """Return the model answers for a conversation that is replayed in this manner."""
    return ModelAnswers(
        cassette,
        records=manner.record,
        live=manner.live,
        offline=manner.project.offline_models,
    )


class _Conversation:
    """A conversation that is being replayed."""

    def __init__(
        self, done: Replayed, answers: ModelAnswers, manner: Manner, show: Show | None
    ) -> None:
        self._done = done
        self._show = show
        self._answers = answers
        self._manner = manner

    async def run(self, call: CallDriver) -> None:
        """Replay it to its end, or to the first exchange with a fault."""
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
                why = "two agent turns in a row: the caller must do something in between"
                faults.append(Fault(exchange.line, "agent", why))
            elif call.end is not None and not self._interrupts_ending(trigger):
                why = f"the call ended before this turn, ended by {call.end.ended_by}"
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

    def _interrupts_ending(self, trigger: Trigger) -> bool:
        """Whether ``trigger`` belongs to the exchange in which the call ended."""
        before = self._done.played[-2:-1]
        over = isinstance(trigger, CallerSays | HangsUp) and trigger.over is not None
        return over and not (before and before[0].reply.is_over)


async def intent_faults(manner: Manner, expected: AgentTurn, reply: Reply) -> list[Fault]:
    """Return what the judge, if there is one, finds wrong with an answer."""
    if manner.judge is None or expected.intent is None:
        return []
    why = await manner.judge(reply.said, expected.intent)
    return [Fault(expected.line, "intent", why, expected.intent, reply.said)] if why else []


def not_said(error: NotSaid, at: Cut | Exchange) -> Fault:
    """The fault of an interruption after words that the agent did not say."""
    return Fault(at.line, "over", str(error), error.words, error.said)


def model_faults(answers: ModelAnswers, exchange: Exchange) -> list[Fault]:
    """Return faults for model requests without an answer, and for answers without a request."""
    line = exchange.expected.line if exchange.expected else exchange.line
    missing = [Fault(line, "model", why) for why in answers.missing]
    answers.missing.clear()
    if answers.left and not missing:
        missing.append(unasked(len(answers.left), line))
    return missing


def unasked(number: int, line: int) -> Fault:
    """The fault of ``number`` model answers that no request has used."""
    what = "answer was" if number == 1 else "answers were"
    why = f"{number} model {what} not used: the graph asked its model less often"
    return Fault(line, "model", why)


def cassette_of(transcript: Transcript, manner: Manner) -> Cassette | None:
    """Return the cassette of a transcript, an empty one for recording; None: there is none.

    Raises:
        TranscriptError: the cassette cannot be read.
    """
    if not transcript.path.name:  # the transcript is not in a file
        return None
    path = cassette_path(transcript.path)
    if manner.record:
        return Cassette(path)
    return read_cassette(path) if path.is_file() and not manner.live else None
