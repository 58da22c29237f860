"""A dispatch's metadata is understood, or refused with one clear sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lastword.dispatch import MAX_SIZE, read_dispatch, read_dispatch_of
from lastword.errors import MetadataError, UnknownGraph
from lastword.graphs_config import check_graph


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
        ('{"graph": 7}', 'has a "graph" that is not a name: 7'),
        ('{"direction": "up"}', "none of inbound, outbound, browser"),
        ('{"participant_identity": 7}', 'has "participant_identity": 7, which is not an identity'),
        ('{"participant_identity": ""}', "which is not an identity"),
        ('{"direction": ["inbound"]}', "none of inbound, outbound, browser"),
        ('{"direction": "' + "x" * 9000 + '"}', "none of inbound, outbound, browser"),
        (json.dumps({"graph": [["x" * 9000]]}), 'has a "graph" that is not a name'),
        (json.dumps({"order": "x" * MAX_SIZE}), "is too large: the limit is 64 KiB"),
        ('{"order": ' + "[" * 9000, "is nested too deeply"),
        ('{"order": ' + "1" * 5000 + "}", "which does not fit into 64 bits; put it into quotes"),
        ('{"order": NaN}', "has NaN, which is not a JSON number"),
        ('{"order": 1e999}', "which does not fit into 64 bits"),
        ('{"order": "\\ud800"}', "has the character U+D800"),
        ('{"\\ud800": 1}', "has the character U+D800"),
    ],
)
def test_malformed_metadata_says_what_is_wrong_and_the_way_out(text: str, why: str) -> None:
    with pytest.raises(MetadataError) as raised:
        read_dispatch(text)
    assert why in str(raised.value)
    assert "send a JSON object such as" in str(raised.value)
    assert len(str(raised.value)) < 400
    assert str(raised.value).isprintable()


def test_an_unknown_graph_is_refused_by_name() -> None:
    with pytest.raises(UnknownGraph, match="no graph 'x' in langgraph.json; it has survey"):
        check_graph(read_dispatch('{"graph": "x"}').graph, ["survey"], Path("langgraph.json"))


def test_the_name_of_an_unknown_graph_is_shortened() -> None:
    with pytest.raises(UnknownGraph) as raised:
        check_graph("x" * 60_000 + "\x1b[2J", ["survey"] * 9000, Path("langgraph.json"))
    assert len(str(raised.value)) < 600
    assert str(raised.value).isprintable()


def test_metadata_of_a_transcript_is_checked_as_a_dispatchs_is() -> None:
    with pytest.raises(MetadataError, match="has the key 1, which is not text"):
        read_dispatch_of({"slots": {1: "ten"}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
TEXTS = (
    st.text(st.characters()) | st.text('{}[]":,0123456789eE.+-\\udNaIfinty') | JSON.map(json.dumps)
)
OBJECTS = st.dictionaries(st.sampled_from(["graph", "direction", "order"]) | st.text(), JSON)


@settings(deadline=None)
@given(
    TEXTS | OBJECTS.map(json.dumps) | OBJECTS.map(lambda one: json.dumps(one, ensure_ascii=False))
)
@example('{"a":' * 20_000)
@example("[" * 60_000)
@example('{"a": ' + "9" * 60_000 + "}")
@example('{"a": -Infinity}')
@example('{"\\udc00": "\\ud800"}')
@example("\udc80")
def test_whatever_text_is_sent_is_plain_json_or_refused_with_one_sentence(text: str) -> None:
    try:
        dispatch = read_dispatch(text)
    except MetadataError as error:
        assert len(str(error)) < 400  # noqa: PT017 - most texts are refused, some are not
        str(error).encode()
        return
    json.dumps(dispatch.metadata, ensure_ascii=False, allow_nan=False).encode()
    assert dispatch.direction in ("inbound", "outbound", "browser")
