"""What the caller has not heard, the graph has not said; what its tools did, stays done (P5)."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolMessage
from livekit.agents.voice import SpeechHandle
from livekit.agents.voice.run_result import RunResult

from lastword.signals import CallPolicy
from lastword.testing.fakes.audio_output import FakeTextOutput
from tests.fakes.mouth import WordVoice
from tests.fakes.phone import Phone, phone_call
from tests.fakes.staged_graph import (
    ENTRY,
    Calls,
    Nesting,
    Performance,
    Piece,
    Quiet,
    Says,
    Script,
    Step,
    Streams,
    Writes,
    places,
    staged_graph,
)

AT_ONCE = "at once"
"""A cut before the graph has begun."""
OVER = "over"
"""A cut when the graph has come to its end and its words are being played."""
POLICY = CallPolicy(first_speaker="caller", tail=0, must_answer=False)


class Cut(NamedTuple):
    """When the caller interrupts, and how much of the words so far they have heard.

    ``place`` is one of ``places``, or AT_ONCE or OVER. ``heard`` counts characters, None is all of
    them. An early cut does not wait for words that are still on their way: nothing was heard.
    """

    place: str
    heard: int | None = None
    early: bool = False


class CallerTurn(NamedTuple):
    """What the caller says, what the graph does then, and how the caller interrupts that.

    ``words`` are None when the agent speaks on its own account.
    """

    words: str | None
    script: Script
    cut: Cut | None = None


@dataclass
class Conversation:
    """A call with a staged graph; ``heard`` is what was said in it, kept by the test itself."""

    phone: Phone
    performance: Performance
    subtitles: FakeTextOutput
    sounding: asyncio.Event
    heard: list[tuple[str, str]] = field(default_factory=list)

    async def turn(self, words: str | None, script: Script, cut: Cut | None = None) -> None:
        """Let the caller speak, and check what the graph sees when it begins to answer."""
        performance, mouth = self.performance, self.phone.mouth
        performance.begin(script, cut.place if cut else None)
        self.subtitles.clear()
        self.sounding.clear()
        mouth.hold, mouth.played_text = cut is not None, ""
        begun, results = len(performance.seen), dict(performance.results)
        answer = self._ask(words)
        if cut is not None:
            await self._interrupt(cut, answer)
        await answer
        if cut is None or cut.place != AT_ONCE:
            assert len(performance.seen) == begun + 1
            check(performance, self.heard, results)
        letters = None if cut is None else len(_letters(mouth.played_text))
        self.heard += [("ai", text) for text in heard_messages(performance.pieces, letters)]

    def _ask(self, words: str | None) -> RunResult[Any] | SpeechHandle:
        if words is None:
            return self.phone.session.generate_reply()
        self.heard.append(("human", words))
        answer: RunResult[Any] = self.phone.session.run(user_input=words)
        return answer

    async def _interrupt(self, cut: Cut, answer: RunResult[Any] | SpeechHandle) -> None:
        if cut.place == OVER and any(map(_speaks, self.performance.script)):
            await self.phone.mouth.captured.wait()
        elif cut.place == OVER:
            await answer
        elif cut.place != AT_ONCE:
            await self.performance.stopped.wait()
        if cut.place != AT_ONCE and not cut.early:
            await self.subtitles.until(_letters("".join(p.text for p in self.performance.pieces)))
            if re.search(r"\w[\s,.]", self.subtitles.text):  # LiveKit keeps a last word back
                await self.sounding.wait()
            if self.sounding.is_set():
                self.phone.mouth.played_text = self.subtitles.text[: cut.heard]
        await self.phone.session.interrupt()


@asynccontextmanager
async def conversation(*nestings: Nesting) -> AsyncIterator[Conversation]:
    performance, subtitles, sounding = Performance(), FakeTextOutput(), asyncio.Event()
    graph = staged_graph(performance, nestings)
    async with phone_call(graph, POLICY, voice=WordVoice(), subtitles=subtitles) as phone:
        phone.mouth.on("playback_started", lambda _: sounding.set())
        yield Conversation(phone, performance, subtitles, sounding)


def heard_messages(pieces: Sequence[Piece], letters: int | None) -> list[str]:
    """What was heard of each of the graph's messages; ``letters`` of all words were, None: all."""
    found = []
    for piece in pieces:
        text = piece.text
        if letters is not None:
            text = _beginning(text, letters)
            letters -= len(_letters(text))
        if piece.in_graph and text.strip():
            found.append(_words(text))
    return found


def check(
    performance: Performance, heard: Sequence[tuple[str, str]], results: Mapping[str, str]
) -> None:
    """The graph's messages are what was said and heard, and its tools' answers are all there."""
    seen = performance.seen[-1]
    spoken = [m for m in seen if not isinstance(m, ToolMessage | SystemMessage) and m.text]
    assert [(m.type, _words(m.text)) for m in spoken] == list(heard)
    ids = Counter(message.id for message in seen)
    assert [one for one, times in ids.items() if times > 1] == []
    assert [one for one, times in performance.runs.items() if times > 1] == []
    check_tools(seen)
    answers = {m.tool_call_id: m.text for m in seen if isinstance(m, ToolMessage)}
    assert {call_id: answers.get(call_id) for call_id in results} == dict(results)


def check_tools(messages: Sequence[BaseMessage]) -> None:
    """Each tool call has one answer, right after the message that called."""
    open_calls: list[str | None] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            assert message.tool_call_id in open_calls
            open_calls.remove(message.tool_call_id)
            continue
        assert open_calls == []
        if isinstance(message, AIMessage):
            open_calls = [call["id"] for call in message.tool_calls]
    assert open_calls == []


def _speaks(step: Step) -> bool:
    return not isinstance(step, Quiet) and not (isinstance(step, Calls) and not step.chunks)


def _beginning(text: str, letters: int) -> str:
    """The beginning of ``text`` that has so many letters, white space aside."""
    return next((text[:at] for at in range(len(text)) if len(_letters(text[:at])) == letters), text)


def _letters(text: str) -> str:
    return "".join(text.split())


def _words(text: str) -> str:
    return " ".join(text.split())


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Words of a message, here and there with white space around them."""
    words = draw(st.lists(st.text("abcdé", min_size=1, max_size=6), min_size=1, max_size=4))
    text = draw(st.sampled_from([" ", ", ", ". "])).join(words)
    return draw(st.sampled_from(["", " "])) + text + draw(st.sampled_from(["", ".", " ", "\n"]))


@st.composite
def chunks(draw: st.DrawFn) -> tuple[str, ...]:
    """A text as a model streams it, cut anywhere."""
    text = draw(texts())
    cuts = draw(st.sets(st.integers(1, 12), max_size=3))
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    return tuple(text[a:b] for a, b in pairwise(edges))


STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(Streams, chunks(), st.booleans()),
    st.builds(Writes, texts()),
    st.builds(Says, texts()),
    st.builds(Calls, st.just(()) | chunks(), st.integers(1, 3), st.booleans()),
    st.just(Quiet()),
)
NESTINGS: st.SearchStrategy[Nesting] = st.sampled_from(["flat", "subgraph", "called"])


@st.composite
def caller_turns(draw: st.DrawFn, stages: int) -> CallerTurn:
    """A turn; two of three are interrupted somewhere."""
    script = tuple(draw(st.lists(STEPS, min_size=stages, max_size=stages)))
    words = draw(st.sampled_from(["Yes.", "No.", None]))
    if draw(st.integers(0, 2)) == 0:
        return CallerTurn(words, script)
    place = draw(st.sampled_from([*places(script), AT_ONCE, OVER]))
    heard = draw(st.none() | st.integers(0, 30))
    return CallerTurn(words, script, Cut(place, heard, early=draw(st.booleans())))


CALLS = st.lists(NESTINGS, min_size=1, max_size=4).flatmap(
    lambda nestings: st.tuples(
        st.just(nestings), st.lists(caller_turns(len(nestings)), min_size=1, max_size=5)
    )
)


async def hold_call(nestings: Sequence[Nesting], turns: Sequence[CallerTurn]) -> None:
    """A whole call; two turns that nobody interrupts end it."""
    async with conversation(*nestings) as call:
        for turn in turns:
            await call.turn(*turn)
        last: Script = tuple(Streams(("All ", "right.")) for _ in nestings)
        await call.turn("Well?", last)
        await call.turn("Bye.", last)


# A call that fails is short enough to read; to make it shorter would take minutes.
@settings(max_examples=60, deadline=None, phases=set(Phase) - {Phase.shrink})
@given(CALLS)
def test_p5_after_every_turn_the_graph_remembers_what_was_heard(
    call: tuple[list[Nesting], list[CallerTurn]],
) -> None:
    asyncio.run(hold_call(*call))


HELLO = Streams(("Hello", " there, ", "caller."))
FINE = Streams(("Fine.",))
BOOKS = Calls((), tools=1, parallel=False)
BOOKS_TWO = Calls(("One ", "moment."), tools=2, parallel=True)


def said(call: Conversation) -> list[str]:
    """What the graph saw when its last turn began."""
    return [f"{m.type}: {m.text}" for m in call.performance.seen[-1] if m.text]


@pytest.mark.parametrize(
    "cut", [Cut(AT_ONCE), Cut(ENTRY), Cut("0 chunk 1", early=True), Cut(OVER, heard=0)]
)
async def test_p5_interrupted_before_the_first_word_the_graph_has_said_nothing(cut: Cut) -> None:
    async with conversation("flat") as call:
        await call.turn("Hi.", (HELLO,), cut)
        await call.turn("Wait.", (FINE,))
        await call.turn("Bye.", (FINE,))
        assert said(call) == ["human: Hi.", "human: Wait.", "ai: Fine.", "human: Bye."]


@pytest.mark.parametrize(
    ("heard", "messages"), [(8, ["Hello th"]), (26, ["Hello there, caller.", "How a"])]
)
async def test_p5_interrupted_in_the_middle_of_a_word_the_graph_has_said_its_beginning(
    heard: int, messages: list[str]
) -> None:
    async with conversation("flat", "flat") as call:
        await call.turn("Hi.", (HELLO, Writes("How are you?")), Cut(OVER, heard))
        await call.turn("Wait.", (FINE, FINE))
        assert call.phone.spoken()[0] == " ".join(messages)
        assert said(call) == ["human: Hi.", *(f"ai: {text}" for text in messages), "human: Wait."]


@pytest.mark.parametrize("place", ["1 begins", OVER])
async def test_p5_interrupted_after_the_last_word_the_graph_has_said_it_all(place: str) -> None:
    async with conversation("flat", "flat") as call:
        await call.turn("Hi.", (HELLO, Quiet()), Cut(place))
        await call.turn("Yes?", (FINE, FINE))
        assert said(call) == ["human: Hi.", "ai: Hello there, caller.", "human: Yes?"]


@pytest.mark.parametrize("place", ["0 tool 0", "0 tool 0 done"])
async def test_p5_interrupted_during_a_tool_the_call_has_an_answer_and_is_not_repeated(
    place: str,
) -> None:
    async with conversation("flat", "flat") as call:
        await call.turn("Book it.", (BOOKS, HELLO), Cut(place))
        await call.turn("Wait.", (FINE, FINE))
        [answer] = [m for m in call.performance.seen[-1] if isinstance(m, ToolMessage)]
        assert (answer.tool_call_id, answer.status) == ("1.0.0", "error")
        assert call.performance.runs["1.0.0"] == (place == "0 tool 0 done")


async def test_p5_interrupted_while_the_graph_is_running_it_has_said_what_was_heard() -> None:
    async with conversation("flat", "flat", "flat") as call:
        script = (BOOKS, HELLO, Writes("Anything else?"))
        await call.turn("Book it.", script, Cut("1 chunk 2", heard=9))
        await call.turn("Wait.", (FINE, FINE, FINE))
        assert said(call) == [
            "human: Book it.",
            "tool: booked 1.0.0",
            "ai: Hello the",
            "human: Wait.",
        ]


@pytest.mark.parametrize("heard", [0, 3])
@pytest.mark.parametrize("slow", [0, 1])
async def test_p5_interrupted_between_two_parallel_tools_keeps_what_the_quick_one_did(
    slow: int, heard: int
) -> None:
    async with conversation("flat", "flat") as call:
        await call.turn("Book both.", (BOOKS_TWO, HELLO), Cut(f"0 tool {slow}", heard))
        await call.turn("Wait.", (FINE, FINE))
        answers = [m for m in call.performance.seen[-1] if isinstance(m, ToolMessage)]
        assert {m.tool_call_id: m.status for m in answers} == {
            f"1.0.{slow}": "error",
            f"1.0.{1 - slow}": "success",
        }
        assert call.performance.runs == {f"1.0.{1 - slow}": 1}


async def test_p5_interrupted_in_the_last_of_many_tools_keeps_what_the_others_did() -> None:
    books = Calls((), tools=4, parallel=True)
    async with conversation("flat", "flat") as call:
        await call.turn("Book all.", (books, HELLO), Cut("0 tool 2"))
        await call.turn("Wait.", (FINE, FINE))
        assert call.performance.runs == {"1.0.0": 1, "1.0.1": 1, "1.0.3": 1}


@pytest.mark.parametrize("nesting", ["subgraph", "called"])
@pytest.mark.parametrize("place", ["0 tool 1", "1 begins", "1 chunk 2"])
async def test_p5_what_tools_of_a_subgraph_did_is_kept_when_it_is_interrupted(
    nesting: Nesting, place: str
) -> None:
    async with conversation(nesting, nesting) as call:
        await call.turn("Book both.", (BOOKS_TWO, HELLO), Cut(place))
        await call.turn("Wait.", (FINE, FINE))
        assert "tool: booked 1.0.0" in said(call)


async def test_p5_what_tools_did_is_kept_when_the_agent_spoke_on_its_own_account() -> None:
    async with conversation("flat", "flat") as call:
        await call.turn("Hi.", (HELLO, Quiet()))
        await call.turn(None, (BOOKS, FINE), Cut("1 begins"))
        await call.turn("Wait.", (FINE, FINE))
        assert "tool: booked 2.0.0" in said(call)


@pytest.mark.parametrize("heard", [0, 8])
async def test_p5_an_answer_that_its_node_rewrote_is_cut_in_the_message_that_it_wrote(
    heard: int,
) -> None:
    async with conversation("flat") as call:
        await call.turn("Hi.", (Streams(HELLO.chunks, rewritten=True),), Cut(OVER, heard=heard))
        await call.turn("Wait.", (FINE,))
        assert said(call) == ["human: Hi.", *["ai: Hello th"] * (heard > 0), "human: Wait."]


async def test_p5_a_reply_that_is_asked_for_while_the_agent_speaks_knows_what_was_heard() -> None:
    async with conversation("flat") as call:
        call.phone.mouth.hold = True
        call.performance.begin((HELLO,), None)
        first = call.phone.session.generate_reply(user_input="Hi.")
        await call.phone.mouth.captured.wait()
        call.performance.begin((FINE,), None)
        second = call.phone.session.generate_reply(user_input="And?")
        call.phone.mouth.hold = False
        call.phone.mouth.play()
        await first
        await second
        call.heard += [
            ("human", "Hi."),
            ("ai", "Hello there, caller."),
            ("human", "And?"),
            ("ai", "Fine."),
        ]
        await call.turn("Bye.", (FINE,))


async def test_p5_an_interruption_that_nobody_waited_for_is_known_to_the_turn_after_it() -> None:
    async with conversation("flat") as call:
        call.phone.mouth.hold, call.phone.mouth.played_text = True, "Hello th"
        call.performance.begin((HELLO,), None)
        first = call.phone.session.generate_reply(user_input="Hi.")
        await call.phone.mouth.captured.wait()
        call.phone.session.interrupt()
        call.phone.mouth.hold = False
        call.performance.begin((FINE,), None)
        second = call.phone.session.generate_reply(user_input="And?")
        await first
        await second
        call.heard += [("human", "Hi."), ("ai", "Hello th"), ("human", "And?"), ("ai", "Fine.")]
        await call.turn("Bye.", (FINE,))
