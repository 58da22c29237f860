"""How an ending is recognised (P2), decided without a graph or a clock."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastword.bridge.endings import EndingWatch, EndTokenFilter
from lastword.signals import CallPolicy


def feed(chunks: list[str], token: str | None = "<end>") -> tuple[str, bool]:
    filter_ = EndTokenFilter(token)
    text = "".join(filter_.feed(chunk) for chunk in chunks) + filter_.flush()
    return text, filter_.found


@pytest.mark.parametrize(
    ("chunks", "spoken"),
    [
        (["Goodbye!<end>"], "Goodbye!"),
        (["Goodbye!", "<", "en", "d", ">"], "Goodbye!"),
        (["<end>"], ""),
        (["See you <end> tomorrow."], "See you  tomorrow."),
        (["Bye<end>", "<e", "nd>bye"], "Byebye"),
        (["a<<end>b"], "a<b"),
        (["<e<end>nd>"], ""),
    ],
)
def test_p2_an_end_token_is_found_and_never_spoken(chunks: list[str], spoken: str) -> None:
    assert feed(chunks) == (spoken, True)


@pytest.mark.parametrize(
    "text", ["In the end we won.", "<ending> soon", "a < b", "<en", "END <End>", "the <end"]
)
def test_p2_ordinary_speech_ends_nothing(text: str) -> None:
    assert feed([text]) == (text, False)
    assert feed(list(text)) == (text, False)


def test_p2_without_a_token_everything_is_speech() -> None:
    assert feed(["Goodbye!<end>"], token=None) == ("Goodbye!<end>", False)


@given(
    st.text(alphabet="<end> ab", max_size=40),
    st.lists(st.integers(0, 40), max_size=8),
    st.sampled_from(["<end>", "ee", "##", "n"]),
)
def test_p2_the_cut_into_chunks_makes_no_difference(text: str, cuts: list[int], token: str) -> None:
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    chunks = [text[a:b] for a, b in pairwise(edges)]
    spoken, found = feed(chunks, token)
    assert (spoken, found) == feed([text], token)
    assert token not in spoken
    assert found == (token in text)


def ending(policy: CallPolicy | None = None, **signs: Any) -> dict[str, Any] | None:
    watch = EndingWatch(policy or CallPolicy())
    for sign, value in signs.items():
        if sign == "results":
            for node, result in value.items():
                watch.saw_result(node, result)
        else:
            getattr(watch, f"saw_{sign}")(*([] if value is None else [value]))
    return dict(watch.ending) if watch.ending else None


def test_p2_a_node_named_end_ends_the_call_without_any_code_of_ours() -> None:
    assert ending(results={"end": {"messages": []}}) == {
        "reason": "completed",
        "outcome": None,
        "source": "node",
        "node": "end",
    }
    assert ending(results={"talk": {}}) is None


def test_p2_the_end_nodes_name_is_the_policys() -> None:
    policy = CallPolicy(end_node="hang_up")
    assert ending(policy, node="end") is None
    assert (ending(policy, node="hang_up") or {})["node"] == "hang_up"
    assert ending(CallPolicy(end_node=None), node="end") is None


def test_p2_reason_and_outcome_come_from_the_ending_channel() -> None:
    outcome = {"slot": "Tuesday"}
    results = {"confirm": {"ending": {"reason": "confirmed", "outcome": outcome}}}
    assert ending(results=results) is None, "the channel names the reason, it ends nothing"
    found = ending(results=results, node="end")
    assert found is not None
    assert (found["reason"], found["outcome"]) == ("confirmed", outcome)


def test_p2_of_several_writes_to_the_ending_channel_the_last_counts() -> None:
    writes = {"ending": {"$writes": [{"reason": "first"}, {"reason": "second"}]}}
    found = ending(results={"end": writes})
    assert found is not None
    assert found["reason"] == "second"


def test_p2_a_signal_ends_the_call_from_any_node_or_tool() -> None:
    signal = {"type": "lastword.end_call", "reason": "transferred", "outcome": {"to": "sales"}}
    assert ending(custom=signal) == {
        "reason": "transferred",
        "outcome": {"to": "sales"},
        "source": "event",
    }


@pytest.mark.parametrize(
    "event", ["end", {"type": "end_call"}, {"type": "lastword.end_call"}, None, 7]
)
def test_p2_other_custom_events_end_nothing(event: object) -> None:
    watch = EndingWatch(CallPolicy())
    watch.saw_custom(event)
    assert watch.ending is None


def test_p7_two_signals_with_different_reasons_are_told_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = EndingWatch(CallPolicy())
    for reason in ("confirmed", "confirmed", "cancelled"):
        watch.saw_custom({"type": "lastword.end_call", "reason": reason})
    assert watch.ending is not None
    assert watch.ending["reason"] == "cancelled"
    [record] = caplog.records
    assert "two reasons in one turn" in record.message
    assert record.__dict__["lk.pii.reasons"] == ["confirmed", "cancelled"]


def test_p7_two_signs_of_one_run_are_one_ending_and_the_named_reason_wins() -> None:
    found = ending(
        token="talk",
        node="end",
        custom={"type": "lastword.end_call", "reason": "done"},
    )
    assert found == {"reason": "done", "outcome": None, "source": "token", "node": "talk"}


def test_p2_a_graph_that_waits_for_a_human_in_its_end_node_has_not_ended() -> None:
    assert ending(node="end", interrupt=None) is None
