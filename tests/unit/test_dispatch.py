"""A dispatch's metadata is understood, or refused with one clear sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.dispatch import read_dispatch
from agent.errors import MetadataError, UnknownGraph
from agent.graph_registry import check_graph


def test_no_metadata_is_an_inbound_call_to_the_default_graph() -> None:
    dispatch = read_dispatch("")
    assert (dispatch.graph, dispatch.direction, dict(dispatch.metadata)) == (None, "inbound", {})


def test_the_dispatch_may_say_who_the_caller_is() -> None:
    assert read_dispatch("").participant_identity is None
    assert read_dispatch('{"participant_identity": "anna"}').participant_identity == "anna"


def test_the_business_data_is_kept_whole() -> None:
    dispatch = read_dispatch('{"graph": "survey", "direction": "outbound", "order": {"id": 7}}')
    assert (dispatch.graph, dispatch.direction) == ("survey", "outbound")
    assert dispatch.metadata["order"] == {"id": 7}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is not JSON"),
        ("[1]", "is list, not an object"),
        ('"survey"', "is str, not an object"),
        ('{"graph": 7}', 'has a "graph" that is no name: 7'),
        ('{"direction": "up"}', "none of inbound, outbound, browser"),
        ('{"participant_identity": 7}', 'has a "participant_identity" that is none: 7'),
        ('{"participant_identity": ""}', 'has a "participant_identity" that is none'),
    ],
)
def test_malformed_metadata_says_what_is_wrong_and_the_way_out(text: str, why: str) -> None:
    with pytest.raises(MetadataError) as raised:
        read_dispatch(text)
    assert why in str(raised.value)
    assert "send a JSON object such as" in str(raised.value)


def test_an_unknown_graph_is_refused_by_name() -> None:
    with pytest.raises(UnknownGraph, match="no graph 'x' in langgraph.json; it has survey"):
        check_graph(read_dispatch('{"graph": "x"}').graph, ["survey"], Path("langgraph.json"))
