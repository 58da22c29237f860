"""A conversation in a real room, with a real server, worker, graph, STT and TTS."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from lastword.errors import ConversationError
from lastword.events import AgentSaid, Event
from lastword.settings import Settings
from lastword.testing.checks import Fault, check_call, check_reply
from lastword.testing.coverage import Taken
from lastword.testing.levels.driver import NotSaid
from lastword.testing.levels.event_reading import end_of, ending_in, standing_ending
from lastword.testing.levels.room_worker import REPLAY_KEY
from lastword.testing.replay import (
    Manner,
    Played,
    Replayed,
    intent_faults,
    not_said,
    unasked,
)
from lastword.testing.reply import End, Reply, ToolUse, WholeCall
from lastword.testing.stage.caller_job import CallerLine
from lastword.testing.stage.script import acts_of
from lastword.testing.stage.stage import Plan, Stage, stage, worker_program
from lastword.testing.stage.verdict import CallFacts
from lastword.testing.stage.view import CallView
from lastword.testing.transcripts.transcript import (
    CallerSays,
    Exchange,
    HangsUp,
    LimitNear,
    Silence,
    TimeUp,
    Transcript,
    Trigger,
    Voicemail,
)
from lastword.testing.wording import heard_until, words_of

TRIES = 3
LEAVES = CallerLine(does="hang_up")
"""The caller's last line: hangs up if the call is still open after the transcript's last turn."""
PROGRAM = worker_program("lastword.testing.levels.room_worker")


def out_of_reach(transcript: Transcript) -> str | None:
    """Return why a conversation cannot run in a room; None: it can."""
    for turn in transcript.turns:
        match turn:
            case Voicemail():
                return f"line {turn.line}: a room has no answering machine"
            case LimitNear() | TimeUp():
                return (
                    f"line {turn.line}: reaching a call's maximum duration takes too long in a room"
                )
            case _:
                continue
    return None


class RoomStage:
    """A running server and worker that replay conversations one after the other."""

    def __init__(self, on_stage: Stage, scratch: Path) -> None:
        self._stage = on_stage
        self._scratch = scratch
        self._number = 0

    async def have(
        self, transcript: Transcript, graph: str, manner: Manner, view: CallView | None = None
    ) -> Replayed:
        """Replay a conversation.

        If it has faults and the STT misheard the caller, it was not the written conversation; it
        is replayed again, at most ``TRIES`` times in all.

        Raises:
            CallFailed: a process of the call failed.
            ConversationError: the conversation cannot run in a room.
        """
        if (why := out_of_reach(transcript)) is not None:
            raise ConversationError(f"{transcript.path}: {why}; run it at another level")
        for _ in range(TRIES):
            done = await self._once(transcript, graph, manner, view)
            if done.passed or not was_misheard(done):
                break
        return done

    async def _once(
        self, transcript: Transcript, graph: str, manner: Manner, view: CallView | None
    ) -> Replayed:
        self._number += 1
        folder = self._scratch / f"call-{self._number}"
        await asyncio.to_thread(folder.mkdir)
        replayed = {
            "transcript": str(transcript.path.resolve()),
            "live": manner.live,
            "record": manner.record,
            "context": dict(await manner.call_context(folder)),
        }
        plan = Plan(
            [*acts_of(transcript), LEAVES],
            {**transcript.metadata, "graph": graph, REPLAY_KEY: replayed},
            repeats=False,
        )
        done = judged(transcript, await self._stage.ring(plan, view))
        return await with_intents(done, manner)


@asynccontextmanager
async def room_stage(
    settings: Settings, report: Callable[[str], object]
) -> AsyncIterator[RoomStage]:
    """Start a local server and a worker for conversations; both stop at the end of the block.

    Raises:
        ServerUnavailable: the server is not installed, cannot be built, or does not start.
        CallFailed: the worker stopped; the message has its last log lines.
    """
    scratch = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="lastword-")
    folder = Path(scratch.name)
    there = settings.model_copy(update={"calls_dir": folder / "calls"})
    try:
        async with stage(there, report=report, program=PROGRAM) as on_stage:
            yield RoomStage(on_stage, folder)
    finally:
        await asyncio.to_thread(scratch.cleanup)


def judged(transcript: Transcript, facts: CallFacts) -> Replayed:
    """Map the facts of a call to the exchanges of its transcript, and check them."""
    done = Replayed(transcript, "room")
    exchanges = transcript.exchanges
    facts = _until_left(facts, len(exchanges) - 1)
    begins = [*_begins(exchanges, facts), inf]
    for number, exchange in enumerate(exchanges):
        window = _Window(begins[number], begins[number + 1], facts)
        after = exchanges[number + 1].trigger if number + 1 < len(exchanges) else None
        played = _played(exchange, after, window)
        done.played.append(played)
        done.faults += played.faults
        if done.faults:
            break
    call = WholeCall([one.reply for one in done.played], _end(facts), _hang_ups(facts))
    done.call = call
    reported = [event for event in facts.worker if event["event"] == "graph_answered"]
    if reported and reported[-1]["taken"]:
        done.taken = Taken.from_json(reported[-1]["taken"])
    if done.passed and reported and reported[-1]["left"]:
        done.faults.append(unasked(reported[-1]["left"], exchanges[-1].line))
    if done.passed:
        done.faults += check_call(transcript, call)
    if done.passed and facts.room_left:
        done.faults.append(Fault(transcript.ended_line, "ended", "the room is still on the server"))
    return done


async def with_intents(done: Replayed, manner: Manner) -> Replayed:
    """Let the judge check the answers of a call that has no other faults."""
    for number, played in enumerate(done.played if done.passed else ()):
        expected = played.exchange.expected
        if expected is not None:
            faults = await intent_faults(manner, expected, played.reply)
            done.played[number] = replace(played, faults=faults)
            done.faults += faults
    return done


def was_misheard(done: Replayed) -> bool:
    """Whether the STT recognised other words than the caller said."""
    return any(
        isinstance(one.exchange.trigger, CallerSays)
        and one.reply.heard is not None
        and words_of(one.reply.heard) != words_of(one.exchange.trigger.caller)
        for one in done.played
    )


def _until_left(facts: CallFacts, number: int) -> CallFacts:
    """The facts before the caller hung up after the last turn, which is not in the transcript."""
    left = [
        entry["t"]
        for entry in facts.caller
        if entry["event"] == "line_started" and entry["line"] == number
    ]
    if not left:
        return facts
    worker = [event for event in facts.worker if event["at"] < left[0]]
    return replace(facts, worker=worker, caller=[one for one in facts.caller if one["t"] < left[0]])


@dataclass(frozen=True)
class _Window:
    """The time of one exchange, in seconds on the machine's monotonic clock."""

    start: float
    end: float
    facts: CallFacts

    @property
    def events(self) -> list[Event]:
        """The worker's events; ``agent_said`` counts from the start of the speech."""
        return [event for event in self.facts.worker if self.start <= _began(event) < self.end]

    @property
    def said(self) -> list[AgentSaid]:
        """The ``agent_said`` events."""
        return [event for event in self.events if event["event"] == "agent_said"]


def _began(event: Event) -> float:
    return event["at"] - (event["seconds"] if event["event"] == "agent_said" else 0.0)


def _begins(exchanges: Sequence[Exchange], facts: CallFacts) -> list[float]:
    """The start of each exchange; infinity for one that never began."""
    begins = [-inf]
    silences = iter(
        event["at"]
        for event in facts.worker
        if (event["event"] == "graph_told" and event["kind"] == "silence")
        or (event["event"] == "ending" and event["source"] == "limit")
    )
    started = {
        entry["line"]: entry["t"]
        for entry in reversed(facts.caller)
        if entry["event"] == "line_started"
    }
    for number, exchange in enumerate(exchanges[1:]):
        if isinstance(exchange.trigger, Silence):
            begins.append(next(silences, inf))
        else:
            begins.append(started.get(number, inf))
    return begins


def _played(exchange: Exchange, after: Trigger | None, window: _Window) -> Played:
    if window.start == inf:
        end = _end(window.facts)
        by = f"ended by {end.ended_by}: {end.reason}" if end else "and has not ended"
        why = f"the call never reached this turn, {by}"
        return Played(exchange, Reply(), [Fault(exchange.line, "ended", why)])
    reply = _reply(window)
    if isinstance(after, HangsUp) and not reply.said:
        reply = replace(reply, said=_last_heard(window))
    faults = []
    if isinstance(after, CallerSays | HangsUp) and after.over is not None:
        heard = heard_until(reply.said, after.over)
        if heard is None:
            faults.append(not_said(NotSaid(after.over, reply.said), after))
        elif isinstance(after, HangsUp) or _was_cut(window):
            # an interruption takes a moment; the words heard meanwhile are not a fault
            reply = replace(reply, said=heard)
    answered = [event for event in window.events if event["event"] == "graph_answered"]
    faults += [Fault(exchange.line, "model", why) for event in answered for why in event["missing"]]
    if exchange.expected is not None and not faults:
        faults += check_reply(exchange.expected, reply)
    return Played(exchange, reply, faults)


def _has_the_ending(window: _Window) -> bool:
    """Whether the ending of the call was decided in ``window``."""
    ending = standing_ending(window.facts.worker)
    return ending is not None and _end(window.facts) is not None and ending in window.events


def _was_cut(window: _Window) -> bool:
    return any(event["interrupted"] for event in window.said)


def _last_heard(window: _Window) -> str:
    """The transcription of the last answer; LiveKit drops an answer when the caller hangs up."""
    texts = [one for one in window.facts.caller if one["event"] == "agent_text"]
    return str(texts[-1]["text"]) if texts and texts[-1]["t"] >= window.start else ""


def _reply(window: _Window) -> Reply:
    answered = [event for event in window.events if event["event"] == "graph_answered"]
    heard = [event["words"] for event in window.events if event["event"] == "caller_said"]
    over = end_of(window.events) is not None or _has_the_ending(window)
    began = [_began(event) for event in window.said]
    finished = [
        entry["t"]
        for entry in window.facts.caller
        if entry["event"] == "line_finished" and window.start <= entry["t"] < window.end
    ]
    return Reply(
        said=" ".join(event["words"] for event in window.said),
        heard=" ".join(heard),
        nodes=[node for event in answered for node in event["nodes"]],
        tools=[ToolUse(name, args) for event in answered for name, args in event["tools"]],
        state=answered[-1]["state"] if answered else None,
        end=ending_in(window.events) or (_end(window.facts) if over else None),
        is_over=over,
        seconds=max(began[0] - finished[0], 0.0) if began and finished else 0.0,
    )


def _end(facts: CallFacts) -> End | None:
    return end_of(facts.worker)


def _hang_ups(facts: CallFacts) -> int:
    return sum(event["event"] == "hanging_up" for event in facts.worker)
