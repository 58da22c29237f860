"""A conversation in Python, for those who prefer it to YAML: LiveKit's results, and the end.

What the agent said is asserted with LiveKit's own ``RunResult``; what LiveKit does not know, how
and how often the call ended, with what is here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from livekit.agents.voice.run_result import RunResult

from lastword.events import EndedBy
from lastword.graphs_config import CallGraph
from lastword.testing.checks import Fault, check_call, check_reply
from lastword.testing.levels.driver import CallDriver, NotSaid
from lastword.testing.model_answers import ModelAnswers
from lastword.testing.replay import Manner, Played, Replayed, had, model_faults
from lastword.testing.reply import End, Reply, WholeCall
from lastword.testing.script_view import script_of
from lastword.testing.transcripts.transcript import (
    AgentTurn,
    CallerSays,
    Cut,
    Ended,
    Exchange,
    HangsUp,
    Keypad,
    ModelAnswer,
    Silence,
    Transcript,
    Trigger,
    Voicemail,
)

Answers = Sequence[str | ModelAnswer]


class Interruption(NamedTuple):
    """The caller speaks over the answer: ``says`` it when ``after`` has been heard.

    Without ``says`` the caller hangs up there.
    """

    after: str
    says: str | None = None

    @property
    def turn(self) -> Cut:
        """As a transcript has it."""
        if self.says is None:
            return HangsUp(hangs_up=True, over=self.after)
        return CallerSays(caller=self.says, over=self.after)


class Conversation:
    """A conversation that a test has with a graph; see ``conversation`` of the pytest plugin."""

    def __init__(self, call: CallDriver, answers: ModelAnswers, done: Replayed) -> None:
        self._call = call
        self._answers = answers
        self._done = done

    @property
    def replies(self) -> Sequence[Reply]:
        """The agent's answers so far, the opening first: words, nodes, tools, state, ending."""
        return [played.reply for played in self._done.played]

    @property
    def end(self) -> End | None:
        """How the call has ended; None: it has not."""
        return self._call.end

    async def opens(self) -> RunResult[Any]:
        """The call is connected; called for you before the test begins."""
        return await self._exchange(None, None, ())

    async def says(
        self, words: str, *, interrupted: Interruption | None = None, model: Answers = ()
    ) -> RunResult[Any]:
        """Say something as the caller; returns LiveKit's result of the agent's turn.

        Args:
            words: what the caller says.
            interrupted: what the caller does while the answer is being heard; the result is then
                that of the turn after it, if there is one.
            model: what the graph's chat model answers.

        Raises:
            AssertionError: the call is over, the interruption was to come after words that were
                not said, or the model was asked more or less often than it has answers.
        """
        return await self._turn(CallerSays(caller=words), interrupted, model)

    async def hangs_up(self) -> None:
        """Hang up as the caller."""
        await self._exchange(HangsUp(hangs_up=True), None, ())

    async def is_silent(
        self, seconds: float | None = None, *, model: Answers = ()
    ) -> RunResult[Any]:
        """Say nothing for so many seconds; None: until the worker notices."""
        silence = Silence() if seconds is None else Silence(silence=seconds)
        return await self._turn(silence, None, model)

    async def presses(self, keys: str, *, model: Answers = ()) -> RunResult[Any]:
        """Press keys of the telephone."""
        return await self._turn(Keypad(keypad=keys), None, model)

    async def is_voicemail(self, words: str, *, model: Answers = ()) -> RunResult[Any]:
        """An answering machine has taken the call, and says ``words``."""
        return await self._turn(Voicemail(voicemail=words), None, model)

    def expect_says(self, *words: str) -> None:
        """The agent's last answer has these words in it.

        Raises:
            AssertionError: it has not; the message has the whole conversation.
            ValueError: no words are given.
        """
        if not words:
            raise ValueError("expect_says needs the words that it is to expect")
        self._check(check_reply(AgentTurn(says=list(words)), self.replies[-1]))

    def expect_open(self) -> None:
        """The call goes on.

        Raises:
            AssertionError: it has ended, or is about to.
        """
        self._check(check_reply(AgentTurn(open=True), self.replies[-1]))

    def expect_ended(
        self,
        *,
        reason: str | None = None,
        ended_by: EndedBy | None = "graph",
        outcome: Mapping[str, Any] | None = None,
        once: bool = True,
        after: str | None = None,
    ) -> None:
        """The call has ended so; what is not given is not looked at.

        Args:
            reason: why.
            ended_by: who ended it.
            outcome: what the outcome has at least.
            once: the line was taken down one single time.
            after: words that the caller has heard in the turn that ended the call.

        Raises:
            AssertionError: it has not; the message has the whole conversation.
        """
        expected = Ended(ended_by=ended_by, reason=reason, outcome=outcome, after=after)
        call = WholeCall(self.replies, self._call.end, self._call.hang_ups if once else 1)
        faults = check_call(self._done.transcript.model_copy(update={"ended": expected}), call)
        if once and self._call.end is not None and self._call.hang_ups != 1:
            faults = [Fault(0, "once", f"the line was taken down {self._call.hang_ups} times")]
        self._check(faults)

    async def _turn(
        self, trigger: Trigger, interrupted: Interruption | None, model: Answers
    ) -> RunResult[Any]:
        cut = interrupted.turn if interrupted is not None else None
        result = await self._exchange(trigger, cut, model)
        return result if cut is None else await self._exchange(cut, None, (), is_over_answer=True)

    async def _exchange(
        self,
        trigger: Trigger | None,
        cut: Cut | None,
        model: Answers,
        *,
        is_over_answer: bool = False,
    ) -> RunResult[Any]:
        if trigger is not None and self._call.end is not None and not is_over_answer:
            end = self._call.end
            raise AssertionError(
                f"the call is over, ended by {end.ended_by}: {end.reason}; nothing can follow"
            )
        written = [ModelAnswer(says=one) if isinstance(one, str) else one for one in model]
        self._answers.expect(written)
        exchange = Exchange(trigger, None)
        try:
            if trigger is None:
                reply = await self._call.open(cut)
            else:
                reply = await self._call.take(trigger, cut)
        except NotSaid as error:
            raise AssertionError(f"{error}; it said {error.said!r}") from None
        self._done.played.append(Played(exchange, reply))
        self._check(model_faults(self._answers, exchange))
        return reply.result or _empty(trigger)

    def _check(self, faults: Sequence[Fault]) -> None:
        if not faults:
            return
        last = self._done.played[-1]
        shown = replace(
            self._done, played=[*self._done.played[:-1], replace(last, faults=faults)], faults=[]
        )
        raise AssertionError("\n".join([faults[0].why, "", *script_of(shown)]))


def _empty(trigger: Trigger | None) -> RunResult[Any]:
    """The result of something that LiveKit keeps no result of, such as a hang-up."""
    words = trigger.understood if isinstance(trigger, CallerSays) else None
    return RunResult(user_input=words, output_type=None)


@asynccontextmanager
async def converse(
    graph: CallGraph,
    manner: Manner,
    *,
    metadata: Mapping[str, Any] | None = None,
    clock: datetime | None = None,
) -> AsyncIterator[Conversation]:
    """Have a conversation with ``graph`` in a LiveKit session; it begins with the opening.

    Args:
        graph: the graph and its policy.
        manner: how it is had; the level is always ``session``.
        metadata: the dispatch's.
        clock: what the graph's clock says when the call begins; local time.
    """
    manner = replace(manner, level="session")
    transcript = Transcript(metadata=dict(metadata or {}), clock=clock, turns=[])
    async with had(transcript, graph, manner) as (call, answers):
        conversation = Conversation(call, answers, Replayed(transcript, "session"))
        await conversation.opens()
        yield conversation


Conversations = Callable[..., AbstractAsyncContextManager[Conversation]]
"""What the fixture ``conversation`` gives: a graph's name, ``metadata``, ``clock``, ``context``."""
