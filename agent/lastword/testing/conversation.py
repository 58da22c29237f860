"""A conversation as Python code, instead of YAML.

Use LiveKit's ``RunResult`` to assert what the agent said, and the methods of ``Conversation`` for
what LiveKit does not know: how the call ended, and how often its line was taken down.
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
from lastword.testing.replay import Manner, Played, Replayed, model_faults, open_conversation
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
    """The caller interrupts the answer and says ``says`` after hearing the words ``after``.

    Without ``says`` the caller hangs up at that point.
    """

    after: str
    says: str | None = None

    @property
    def turn(self) -> Cut:
        """The interruption as a turn of a transcript."""
        if self.says is None:
            return HangsUp(hangs_up=True, over=self.after)
        return CallerSays(caller=self.says, over=self.after)


class Conversation:
    """A conversation between a test and a graph; see the fixture ``lastword_conversation``."""

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
        """How the call ended; None while it is open."""
        return self._call.end

    async def opens(self) -> RunResult[Any]:
        """Connect the call; ``converse`` calls this before the test begins."""
        return await self._exchange(None, None, ())

    async def says(
        self, words: str, *, interrupted: Interruption | None = None, model: Answers = ()
    ) -> RunResult[Any]:
        """Say something as the caller; return LiveKit's result of the agent's turn.

        Args:
            words: what the caller says.
            interrupted: what the caller does during the answer; the result is then that of the
                following turn, if there is one.
            model: what the graph's chat model answers.

        Raises:
            AssertionError: the call is over, the agent did not say the words of
                ``interrupted.after``, or the number of model requests differs from the number of
                answers in ``model``.
        """
        return await self._turn(CallerSays(caller=words), interrupted, model)

    async def hangs_up(self) -> None:
        """Hang up as the caller."""
        await self._exchange(HangsUp(hangs_up=True), None, ())

    async def is_silent(
        self, seconds: float | None = None, *, model: Answers = ()
    ) -> RunResult[Any]:
        """Say nothing for ``seconds``; None: for the policy's ``silence_timeout``, else 10 s."""
        silence = Silence() if seconds is None else Silence(silence=seconds)
        return await self._turn(silence, None, model)

    async def presses(self, keys: str, *, model: Answers = ()) -> RunResult[Any]:
        """Press keys on the telephone."""
        return await self._turn(Keypad(keypad=keys), None, model)

    async def is_voicemail(self, words: str, *, model: Answers = ()) -> RunResult[Any]:
        """Let an answering machine take the call and say ``words``."""
        return await self._turn(Voicemail(voicemail=words), None, model)

    def expect_says(self, *words: str) -> None:
        """Assert that the agent's last answer contains each of ``words``.

        Raises:
            AssertionError: it does not; the message shows the whole conversation.
            ValueError: no words are given.
        """
        if not words:
            raise ValueError(
                "expect_says needs the words to expect, such as expect_says('goodbye')"
            )
        self._check(check_reply(AgentTurn(says=list(words)), self.replies[-1]))

    def expect_open(self) -> None:
        """Assert that the call is open.

        Raises:
            AssertionError: it has ended or is ending.
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
        """Assert that the call ended, and how; an argument that is None is not checked.

        Args:
            reason: the expected reason.
            ended_by: what ended the call.
            outcome: values that the outcome must contain; it may contain more.
            once: whether to check that the line was taken down exactly once.
            after: words that the caller must have heard in the turn that ended the call.

        Raises:
            AssertionError: something differs; the message shows the whole conversation.
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
                f"the call is over, ended by {end.ended_by}: {end.reason}; remove later turns"
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
    """The result of a turn for which LiveKit has none, such as a hang-up."""
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
    """Open a conversation with ``graph`` in a LiveKit session; the opening is already done.

    Args:
        graph: the graph and its policy.
        manner: how to run it; the level is always ``session``.
        metadata: the metadata of the dispatch.
        clock: the graph's clock at the start of the call; local time.
    """
    manner = replace(manner, level="session")
    transcript = Transcript(metadata=dict(metadata or {}), clock=clock, turns=[])
    async with open_conversation(transcript, graph, manner) as (call, answers):
        conversation = Conversation(call, answers, Replayed(transcript, "session"))
        await conversation.opens()
        yield conversation


Conversations = Callable[..., AbstractAsyncContextManager[Conversation]]
"""The type of the fixture ``lastword_conversation``; its docstring lists the arguments."""
