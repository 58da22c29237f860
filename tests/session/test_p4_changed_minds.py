"""Calls in which the recogniser changes its mind, with and without preemptive generation (P4).

With it, LiveKit lets the graph answer words that are not final and throws most of those answers
away. Each call here is made twice, and all that lasts must be the same: what was heard, spoken
and booked, what the graph knew at the beginning of each turn, and how the call ended.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any, Literal, NamedTuple

import pytest
from langgraph.graph.message import add_messages
from livekit.agents import SpeechCreatedEvent, llm
from livekit.agents.metrics import LLMMetrics
from livekit.agents.stt import SpeechEventType
from livekit.agents.voice import SpeechHandle

from lastword.bridge import GraphLLM
from lastword.bridge.turn import corrections
from lastword.hangup.call_end import CallEnd
from lastword.signals import CallPolicy
from lastword.testing.fakes.stt import FakeSTT, fake_voices
from tests.fakes.phone import Phone, phone_call
from tests.fakes.practice_desk import FIRST_WORDS, Desk, lead, without_ids

SEEDS = range(200)
SETTLED = 99
"""More steps than a run has: wait until it has done all it can while it is speculative."""

# What the recogniser makes of one utterance, version by version; any of them may be the last.
MINDS: tuple[tuple[str, ...], ...] = (
    ("bye", "by the way", "by the way, what are your hours"),
    ("by the way", "bye"),
    ("stop", "stop by at ten"),
    ("stop by", "stop"),
    ("that is all", "that is all wrong"),
    ("that", "that is all"),
    ("wrong number", "wrong number of people"),
    ("cancel", "can so many people come"),
    ("can", "cancel it please"),
    ("book Tuesday", "book Tuesday, no, Wednesday"),
    ("book", "look at that"),
    ("look", "book Friday"),
    ("yes", "yesterday I was there"),
    ("hours", "ours is a long story"),
    ("crash", "crash course"),
    ("hm", "him I know"),
    ("what are your hours",),
    ("I am calling about my father",),
)


class Version(NamedTuple):
    """Words that are not final; a preflight starts a speculative run.

    ``steps`` is how far that run gets before the next event: 0 nowhere, SETTLED all the way.
    """

    kind: Literal["preflight", "interim"]
    words: str
    steps: int = SETTLED


class Segment(NamedTuple):
    """What the recogniser hears until it is sure of some words."""

    versions: tuple[Version, ...]
    final: str


class CallerTurn(NamedTuple):
    """One or more segments; the final words of a single one can come ``late``, after the end.

    ``cut``: the caller interrupts the answer and has heard no more of it than this.
    """

    segments: tuple[Segment, ...]
    late: bool = False
    cut: str | None = None

    @property
    def words(self) -> str:
        """What the caller has said when all is final."""
        return " ".join(part.final for part in self.segments)


class Script(NamedTuple):
    """A call as its ears hear it; ``opens``: the agent has the first word."""

    turns: tuple[CallerTurn, ...]
    opens: bool = False
    preemptive_tts: bool = False


PLAIN = CallerTurn((Segment((), "are you still there"),))


def heard(final: str, *preflights: str) -> CallerTurn:
    """A turn with a settled speculative run for each of ``preflights``."""
    return CallerTurn((Segment(tuple(Version("preflight", p) for p in preflights), final),))


def script(seed: int) -> Script:
    """One to four turns of changing minds and a plain one, which shows what the graph knows."""
    random = Random(seed)  # noqa: S311 - no secrets
    turns = tuple(caller_turn(random) for _ in range(random.randint(1, 4)))
    return Script((*turns, PLAIN), random.random() < 0.5, random.random() < 0.3)


def caller_turn(random: Random) -> CallerTurn:
    if random.random() < 0.2:
        turn = CallerTurn((segment(random), segment(random)))
    else:
        turn = CallerTurn((segment(random),), late=random.random() < 0.3)
    if random.random() < 0.2:
        turn = turn._replace(cut=FIRST_WORDS.get(lead(turn.words)))
    return turn


def segment(random: Random) -> Segment:
    mind = random.choice(MINDS)
    length = len(mind) if random.random() < 0.75 else random.randint(1, len(mind))
    known = length if random.random() < 0.6 else length - 1
    versions = [
        Version(
            "preflight" if random.random() < 0.7 else "interim",
            words,
            random.choice((0, 1, 2, SETTLED, SETTLED)),
        )
        for words in mind[:known]
        for _ in range(random.choice((1, 1, 2)))
    ]
    return Segment(tuple(versions), mind[length - 1])


@dataclass(frozen=True)
class Lasting:
    """Everything of a call that outlasts it.

    ``seen`` is what the graph knew at the beginning of each turn that was really answered,
    ``known`` what it would know at the beginning of another; ``endings`` are the call's events
    of that kind, without their times.
    """

    heard: list[str]
    spoken: list[str]
    booked: list[str]
    seen: list[dict[str, Any]]
    known: dict[str, Any]
    endings: list[tuple[str, dict[str, Any]]]
    end: CallEnd | None


@dataclass(frozen=True)
class Speculation:
    """Runs that answered the caller; ``adopted`` ones began before their turn was over."""

    begun: int = 0
    adopted: int = 0
    discarded: int = 0
    discarded_farewells: int = 0

    def __add__(self, other: Speculation) -> Speculation:
        mine, theirs = asdict(self), asdict(other)
        return Speculation(**{name: mine[name] + theirs[name] for name in mine})


class Made(NamedTuple):
    """A call that was made."""

    lasting: Lasting
    speculation: Speculation


class Pair(NamedTuple):
    """A call made with preemptive generation, and the same call without."""

    preemptive: Made
    patient: Made


@dataclass
class Caller:
    """Speaks a script into the ears of a call."""

    phone: Phone
    ears: FakeSTT
    desk: Desk
    preemptive: bool
    early: set[str | None] = field(default_factory=set)
    """Items for which a run had begun when their turn was not over yet."""
    _answers: list[SpeechHandle] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.phone.session.on("speech_created", self._speech_created)
        graph_of(self.phone).on("metrics_collected", self._run_over)

    async def speak(self, turn: CallerTurn) -> None:
        """Speak one turn; returns when it has been answered, and the call ended if it was to."""
        turns = self.phone.events.names.count("caller_said")
        await self.phone.session.wait_for_idle()
        self.ears.hear(SpeechEventType.START_OF_SPEECH)
        for part in turn.segments:
            for version in part.versions:
                await self._try_out(version)
            if not turn.late:
                self.ears.hear(SpeechEventType.FINAL_TRANSCRIPT, part.final)
        self.early |= {e.item_id for e in self.desk.entries} - caller_words(self.phone).keys()
        self.phone.mouth.hold, self.phone.mouth.played_text = turn.cut is not None, turn.cut or ""
        self.ears.hear(SpeechEventType.END_OF_SPEECH)
        if turn.late:
            self.ears.hear(SpeechEventType.FINAL_TRANSCRIPT, turn.words)
        await self.phone.events.until("caller_said", times=turns + 1)
        if turn.cut is not None:
            await self.phone.mouth.captured.wait()
            await self.phone.session.interrupt(force=True)
        for answer in self._answers:
            await answer.wait_for_playout()

    async def _try_out(self, version: Version) -> None:
        desk = self.desk
        steps, settled = desk.steps + version.steps, desk.settled
        self.ears.hear(SpeechEventType(f"{version.kind}_transcript"), version.words)
        if self.preemptive and version.kind == "preflight" and version.steps:
            await desk.until(lambda: desk.steps >= steps or desk.settled > settled)

    def _speech_created(self, event: SpeechCreatedEvent) -> None:
        self._answers.append(event.speech_handle)

    def _run_over(self, metrics: LLMMetrics) -> None:
        self.desk.settle()


async def make_both(script: Script) -> Pair:
    return Pair(await make(script, preemptive=True), await make(script, preemptive=False))


async def make(script: Script, *, preemptive: bool) -> Made:
    """Make the call of ``script``; turns after its end are not spoken."""
    desk, ears, end = Desk(), FakeSTT(), None
    opens: Literal["agent", "caller"] = "agent" if script.opens else "caller"
    policy = CallPolicy(first_speaker=opens, tail=0, must_answer=False)
    voices = fake_voices(ears, preemptive=preemptive, preemptive_tts=script.preemptive_tts)
    async with phone_call(desk.graph(), policy, voices=voices) as phone:
        caller = Caller(phone, ears, desk, preemptive)
        for turn in script.turns:
            await caller.speak(turn)
            if phone.call.ended:
                end = await phone.running
                break
        return Made(await lasting(phone, desk, end), speculation(phone, desk, caller.early))


async def lasting(phone: Phone, desk: Desk, end: CallEnd | None) -> Lasting:
    words = caller_words(phone)
    return Lasting(
        heard=list(words.values()),
        spoken=phone.spoken(),
        booked=desk.booked,
        seen=[e.seen for e in desk.entries if e.item_id is None or e.item_id in words],
        known=await known(phone),
        endings=[
            (name, {field: value for field, value in event.items() if field not in ("time", "at")})
            for name, event in zip(phone.events.names, phone.events.recorded, strict=True)
            if name.startswith("ending")
        ],
        end=end,
    )


async def known(phone: Phone) -> dict[str, Any]:
    """The state that the next turn would begin with."""
    graph_llm = graph_of(phone)
    turn = graph_llm.thread.read_turn(phone.session.history)
    base = turn.checkpoint_id or await graph_llm.thread.graph.root()
    at = {"thread_id": graph_llm.thread.graph.thread_id, "checkpoint_ns": "", "checkpoint_id": base}
    values = (await graph_llm.graph.aget_state({"configurable": at})).values
    messages: Any = values.get("messages", [])
    changes: Any = [*turn.respelled, *corrections(turn.heard, messages), *turn.new]
    return without_ids({**values, "messages": add_messages(messages, changes)})


def speculation(phone: Phone, desk: Desk, early: set[str | None]) -> Speculation:
    words = caller_words(phone)
    begun = [entry.item_id for entry in desk.entries if entry.item_id is not None]
    return Speculation(
        begun=len(begun),
        adopted=sum(item_id in early for item_id in words),
        discarded=sum(item_id not in words for item_id in begun),
        discarded_farewells=sum(item_id not in words for item_id in desk.farewells),
    )


def caller_words(phone: Phone) -> dict[str, str]:
    """What the caller said, by the id of its item in LiveKit's history."""
    return {
        item.id: item.text_content or ""
        for item in phone.session.history.items
        if isinstance(item, llm.ChatMessage) and item.role == "user"
    }


def graph_of(phone: Phone) -> GraphLLM:
    assert isinstance(phone.session.llm, GraphLLM)
    return phone.session.llm


@pytest.fixture(scope="module")
def pairs() -> dict[int, Pair]:
    """The seeded calls so far: each pair is made once, by whichever test needs it first."""
    return {}


async def seeded(seed: int, pairs: dict[int, Pair]) -> Pair:
    if seed not in pairs:
        pairs[seed] = await make_both(script(seed))
    return pairs[seed]


@pytest.mark.parametrize("seed", SEEDS)
async def test_p4_a_changed_mind_changes_nothing_that_lasts(
    seed: int, pairs: dict[int, Pair]
) -> None:
    preemptive, patient = await seeded(seed, pairs)
    assert preemptive.lasting == patient.lasting
    assert patient.speculation.begun == len(patient.lasting.heard)
    assert patient.speculation.adopted == 0


@pytest.mark.timeout(600)  # alone it makes all the calls
async def test_p4_the_seeded_calls_really_speculate(pairs: dict[int, Pair]) -> None:
    """Calls in which nothing is discarded and nothing adopted would prove nothing."""
    made = [(await seeded(seed, pairs)).preemptive for seed in SEEDS]
    total = sum((call.speculation for call in made), Speculation())
    endings = [event for call in made for event, _ in call.lasting.endings]
    assert total.adopted >= 100
    assert total.discarded >= 300
    assert total.discarded_farewells >= 30
    assert endings.count("ending") >= 30


async def test_p4_who_says_by_the_way_has_not_said_bye() -> None:
    turns = (heard("by the way, what are your hours", "bye", "by the way"), PLAIN)
    preemptive, patient = await make_both(Script(turns))
    assert preemptive.lasting == patient.lasting
    assert (preemptive.lasting.end, preemptive.lasting.endings) == (None, [])
    assert preemptive.speculation == Speculation(begun=4, discarded=2, discarded_farewells=1)


async def test_p4_who_says_bye_after_all_has_said_bye() -> None:
    preemptive, patient = await make_both(Script((heard("bye", "by the way", "bye"),)))
    assert preemptive.lasting == patient.lasting
    assert preemptive.lasting.end == CallEnd("graph", "completed")
    assert preemptive.speculation == Speculation(begun=2, adopted=1, discarded=1)


async def test_p4_a_day_that_was_taken_back_is_never_booked() -> None:
    turn = heard("book Tuesday, no, Wednesday", "book Tuesday", "book Tuesday, no")
    preemptive, patient = await make_both(Script((turn, PLAIN)))
    assert preemptive.lasting == patient.lasting
    assert preemptive.lasting.booked == ["book Tuesday, no, Wednesday"]


async def test_p4_a_failure_that_nobody_heard_is_no_failure() -> None:
    turns = (heard("crash", "crash", "crash", "crash"), PLAIN)
    preemptive, patient = await make_both(Script(turns))
    assert preemptive.lasting == patient.lasting
    assert preemptive.lasting.end is None
    assert preemptive.speculation == Speculation(begun=4, adopted=1, discarded=2)


async def test_p4_words_that_are_only_spelled_anew_reach_the_state_as_they_are_final() -> None:
    turns = (heard("I was there, yesterday.", "i was there yesterday"), PLAIN)
    preemptive, _ = await make_both(Script(turns))
    assert preemptive.speculation.adopted == 1
    assert "human: I was there, yesterday." in preemptive.lasting.known["messages"]


async def test_p4_a_caller_who_takes_long_to_finish_takes_none_of_the_graphs_time() -> None:
    desk, ears = Desk(), FakeSTT()
    policy = CallPolicy(first_speaker="caller", tail=0, turn_timeout=0.5)
    async with phone_call(desk.graph(), policy, voices=fake_voices(ears, preemptive=True)) as phone:
        ears.hear(SpeechEventType.START_OF_SPEECH)
        ears.hear(SpeechEventType.PREFLIGHT_TRANSCRIPT, "book Tuesday")
        await desk.until(lambda: desk.settled == 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2 * policy.turn_timeout):
                await desk.until(lambda: bool(desk.booked))
        ears.hear(SpeechEventType.FINAL_TRANSCRIPT, "book Tuesday")
        ears.hear(SpeechEventType.END_OF_SPEECH)
        await phone.events.until("agent_said")
        assert phone.spoken() == ["One moment. Done: book Tuesday."]
    assert desk.booked == ["book Tuesday"]
