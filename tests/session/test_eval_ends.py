"""``lastword eval ends``: labelled conversations through graphs, as the bridge runs them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from graphs.rule_model import RuleChatModel
from lastword.graphs_config import CallGraph
from lastword.signals import CallPolicy
from lastword.tools.evaluation.case_run import CaseSetting, History, run_side
from lastword.tools.evaluation.dataset import Case, Label
from lastword.tools.evaluation.figures import Decision
from tests.fakes.labelled_case import case
from tests.fakes.scripted_graph import talking_graph

Answer = Callable[[Sequence[str]], str | Awaitable[str]]
"""Told what was said so far, as "human: words"; an answer with <end> in it ends the call."""


def graph_of(answer: Answer, **policy: Any) -> CallGraph:
    """A graph of one node, which remembers when it may."""

    async def talk(state: MessagesState) -> dict[str, Any]:
        words = answer([f"{message.type}: {message.text}" for message in state["messages"]])
        return {"messages": [AIMessage(words if isinstance(words, str) else await words)]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("talk", talk)
    builder.add_edge(START, "talk")
    return CallGraph("small", builder.compile(), CallPolicy(**policy))


async def decisions(
    graph: CallGraph, cases: Sequence[Case], history: History = "given"
) -> list[Decision]:
    side = await run_side(graph, cases, CaseSetting(history), parallel=3)
    return list(side.decisions)


class Shelf(TypedDict):
    """The context of a graph that wants one."""

    shelf: int


def ends_on_bye(said: Sequence[str]) -> str:
    return "Goodbye!<end>" if "bye" in said[-1].lower() else "Go on."


async def test_an_ending_and_its_absence_are_right_or_wrong_by_the_label() -> None:
    cases = [
        case("right-end", "end", "Anything else?", "No, bye."),
        case("false", "continue", "When?", "Bye the way, at nine."),
        case("right-continue", "continue", "When?", "At nine."),
        case("missed", "end", "Anything else?", "No, see you."),
    ]
    found = await decisions(graph_of(ends_on_bye), cases)
    assert [one.verdict for one in found] == ["right", "false", "right", "missed"]
    assert (found[0].asked, found[0].said, found[0].reason) == (
        "Anything else?",
        "Goodbye!",
        "completed",
    )
    assert all(one.seconds > 0 for one in found)


async def test_a_given_history_is_put_before_the_callers_last_words() -> None:
    heard: list[Sequence[str]] = []

    def listen(said: Sequence[str]) -> str:
        heard.append(said)
        return "Bye.<end>"

    await decisions(graph_of(listen), [case("a", "end", "One?", "Yes.", "Two?", "No.")])
    assert heard == [["ai: One?", "human: Yes.", "ai: Two?", "human: No."]]


async def test_a_replayed_history_is_the_callers_lines_and_the_graphs_own_answers() -> None:
    heard: list[Sequence[str]] = []

    def listen(said: Sequence[str]) -> str:
        heard.append(said)
        return f"Answer {len(heard)}."

    asked = case("a", "continue", "One?", "Yes.", "Two?", "No.")
    graph = graph_of(listen, first_speaker="caller")
    [found] = await decisions(graph, [asked], "replayed")
    assert heard[-1] == ["human: Yes.", "ai: Answer 1.", "human: No."]
    assert (found.asked, found.said) == ("Answer 1.", "Answer 2.")


async def test_a_graph_that_speaks_first_opens_the_replayed_call() -> None:
    graph = graph_of(lambda said: f"{len(said)} so far.")
    [found] = await decisions(graph, [case("a", "continue", "Hi.")], "replayed")
    assert (found.asked, found.said) == ("1 so far.", "3 so far.")


async def test_an_early_hang_up_in_a_replayed_history_is_told_as_such() -> None:
    cases = [case(f"early-{label}", label, "Bye?", "?", "What?", "Not now.") for label in LABELS]
    graph = graph_of(lambda said: "Bye.<end>" if said[-1] == "human: ?" else "Yes?")
    found = await decisions(graph, cases, "replayed")
    assert [one.verdict for one in found] == ["early", "early"]
    assert found[0].why == "after line 1 of the caller's 2"


LABELS: tuple[Label, ...] = ("end", "continue")


@pytest.mark.parametrize("history", ["given", "replayed"])
@pytest.mark.parametrize(
    ("ends_at", "late"),
    [("Goodbye.", 1), ("Bye.", 2), ("Bye bye.", 3), ("never", None)],
)
async def test_a_missed_ending_is_counted_by_the_goodbyes_until_it_comes(
    history: History, ends_at: str, late: int | None
) -> None:
    def deaf(said: Sequence[str]) -> str:
        return "Bye.<end>" if said[-1] == f"human: {ends_at}" else "Yes?"

    cases = [case(f"{label}", label, "Hm?", "That is all.") for label in LABELS]
    to_end, to_go_on = await decisions(graph_of(deaf), cases, history)
    assert (to_end.verdict, to_end.late) == ("missed", late)
    assert (to_go_on.verdict, to_go_on.late) == ("right", None)


async def hang(_: Sequence[str]) -> str:
    await asyncio.Event().wait()
    return "never"


def break_down(said: Sequence[str]) -> str:
    if "break" in said[-1]:
        raise ConnectionError("the model is\ndown")
    return "Fine."


@pytest.mark.parametrize(
    ("answer", "turn_timeout", "why"),
    [(break_down, 30, "ConnectionError: the model is down"), (hang, 0.05, "TimeoutError")],
)
@pytest.mark.parametrize("max_failures", [1, 3])
async def test_a_case_that_fails_is_told_with_its_error_and_is_never_right(
    answer: Answer, turn_timeout: float, why: str, max_failures: int
) -> None:
    cases = [case("a", "end", "break"), case("b", "continue", "break")]
    graph = graph_of(answer, turn_timeout=turn_timeout, max_failures=max_failures)
    found = await decisions(graph, cases)
    assert [(one.verdict, one.why) for one in found] == [("failed", why)] * 2


async def test_a_failure_before_the_last_line_of_a_replay_is_a_failure() -> None:
    graph = graph_of(break_down)
    cases = [case("a", "continue", "Hm?", "break", "What?", "fine")]
    [found] = await decisions(graph, cases, "replayed")
    assert found.verdict == "failed"
    assert found.why == "ConnectionError: the model is down; after line 1 of the caller's 2"


async def test_a_caller_without_words_is_a_silence() -> None:
    heard: list[str] = []

    def listen(said: Sequence[str]) -> str:
        heard.append(said[-1])
        return "Hello?"

    graph = graph_of(listen, silence_timeout=7)
    await decisions(graph, [case("a", "continue", "Who?", "Me.", "When?", "")])
    assert heard == ["human: (The caller has said nothing for 7 seconds.)"]


async def test_each_case_has_a_context_of_its_own() -> None:
    async def talk(state: MessagesState, runtime: Runtime[Shelf]) -> dict[str, Any]:
        return {"messages": [AIMessage(f"Shelf {runtime.context['shelf']}.")]}

    builder = StateGraph(MessagesState, context_schema=Shelf)
    builder.add_node("talk", talk)
    builder.add_edge(START, "talk")
    graph = CallGraph("shelves", builder.compile(), CallPolicy())
    numbers = count(1)
    setting = CaseSetting("given", more_context=lambda: {"shelf": next(numbers)})
    side = await run_side(
        graph, [case("a", "end", "Hi."), case("b", "end", "Hi.")], setting, parallel=1
    )
    assert [one.said for one in side.decisions] == ["Shelf 1.", "Shelf 2."]


async def test_so_many_cases_run_at_once_and_no_more() -> None:
    running, most = 0, 0

    async def take_turns(_: Sequence[str]) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _turn in range(300):  # whoever may run gets here in the meantime
            await asyncio.sleep(0)
        running -= 1
        return "Yes?"

    cases = [case(str(number), "continue", "Hm?") for number in range(6)]
    found = await decisions(graph_of(take_turns), cases)
    assert [one.case.id for one in found] == list("012345")
    assert most == 3


async def test_the_model_that_answered_is_named() -> None:
    graph = CallGraph("rules", talking_graph(RuleChatModel(rules=[])), CallPolicy())
    setting = CaseSetting("given")
    side = await run_side(graph, [case("a", "continue", "Hm?")], setting, parallel=1)
    assert (side.graph, side.model) == ("rules", "offline-rules")
