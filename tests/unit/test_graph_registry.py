"""A graph is loaded by its name; what cannot be loaded is one clear sentence, at start."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import traceback
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from langgraph.pregel.remote import RemoteGraph

from lastword.errors import BrokenGraph, GraphError, GraphServerError, UnknownGraph
from lastword.graphs_config import MAX_SIZE, check_server, graph_specs, load_all, load_graph
from lastword.signals import CallPolicy
from tests import PROJECT_ROOT
from tests.fakes.loopback import served

GOOD = "tests.fakes.sample_graphs:graph"


def config(folder: Path, content: Any) -> Path:
    path = folder / "langgraph.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_graph_comes_with_the_policy_beside_it(tmp_path: Path) -> None:
    found = load_graph("front", config(tmp_path, {"graphs": {"front": GOOD}}))
    assert (found.name, found.policy) == ("front", CallPolicy(tail=1.5))


def test_a_module_beside_the_config_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "somebodys_graph.py").write_text(
        f"from {GOOD.split(':', maxsplit=1)[0]} import graph\n"
    )
    path = config(tmp_path, {"graphs": {"front": "somebodys_graph:graph"}})
    assert load_graph("front", path).policy == CallPolicy()


def test_a_module_that_leaves_does_not_take_the_command_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "leaving_graph.py").write_text("import sys\n\nsys.exit(0)\n")
    path = config(tmp_path, {"graphs": {"front": "leaving_graph:graph"}})
    with pytest.raises(BrokenGraph, match="does not load: SystemExit: 0"):
        load_graph("front", path)


def test_an_entry_may_be_an_object_with_a_path(tmp_path: Path) -> None:
    path = config(tmp_path, {"graphs": {"front": {"path": GOOD, "description": "x"}}})
    assert graph_specs(path) == {"front": GOOD}


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownGraph, match="no graph 'survye' in langgraph.json; it has survey"):
        load_graph("survye", config(tmp_path, {"graphs": {"survey": GOOD}}))


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("no.such.module:graph", "ModuleNotFoundError"),
        ("tests.fakes.sample_graphs:nothing", "'nothing' is NoneType, not a compiled graph"),
        ("tests.fakes.sample_graphs:builder", "StateGraph, not a compiled graph"),
        ("tests.fakes.sample_graphs", "name it by module"),
        ("./graphs/survey/graph.py:graph", "name it by module"),
        ("tests.fakes.broken_policy:graph", "its call_policy is dict, not a CallPolicy"),
    ],
)
def test_a_broken_graph_is_named_with_its_spec_and_why(tmp_path: Path, spec: str, why: str) -> None:
    with pytest.raises(BrokenGraph, match=why) as raised:
        load_all(config(tmp_path, {"graphs": {"front": spec}}))
    assert "'front'" in str(raised.value)
    assert spec in str(raised.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "is not JSON"),
        ({}, "names no graphs"),
        ({"graphs": {}}, "names"),
        ("[" * 90_000, "is nested too deeply"),
        ("1" * 5000, "which does not fit into 64 bits"),
        ('{"graphs": {"\\ud800": "a:b"}}', "has the character U.D800"),
        (" " * (MAX_SIZE + 1), "is too large: the limit is 1 MiB"),
    ],
)
def test_a_bad_config_is_one_sentence(tmp_path: Path, content: Any, why: str) -> None:
    with pytest.raises(GraphError, match=why):
        graph_specs(config(tmp_path, content))


@pytest.mark.parametrize("bytes_", [b'{"graphs": "\xff"}', None])
def test_a_config_that_is_no_text_file_is_one_sentence(
    tmp_path: Path, bytes_: bytes | None
) -> None:
    path = tmp_path / "langgraph.json"
    if bytes_ is None:
        path.mkdir()
    else:
        path.write_bytes(bytes_)
    with pytest.raises(GraphError, match="(not UTF-8|not a regular file)"):
        graph_specs(path)


def test_a_missing_config_says_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="LASTWORD_GRAPHS_CONFIG"):
        graph_specs(tmp_path / "langgraph.json")


def test_the_repositorys_own_graphs_all_load() -> None:
    assert list(load_all(PROJECT_ROOT / "langgraph.json")) == ["appointment", "reception", "survey"]


def test_a_graph_server_that_does_not_answer_is_named_with_the_way_out() -> None:
    with pytest.raises(GraphServerError, match="http://127.0.0.1:9 does not answer .*GRAPH_URL"):
        check_server("http://127.0.0.1:9", ["survey"])


@pytest.mark.parametrize("answer", [200, 401, 404, 500])
async def test_the_password_of_a_graph_server_is_sent_and_never_told(
    answer: int, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    async def search(request: web.Request) -> web.Response:
        asked.append(request.headers["Authorization"])
        return web.json_response([], status=answer)

    app = web.Application()
    app.router.add_post("/assistants/search", search)
    caplog.set_level(logging.DEBUG)
    told = ""
    async with served(app) as url:
        with_password = url.replace("//", "//anna:top%2Fse%40cret@")
        try:
            await asyncio.to_thread(check_server, with_password, ["survey"])
        except GraphServerError as error:
            told = "".join(traceback.format_exception(error))
    assert set(asked) == {f"Basic {b64encode(b'anna:top/se@cret').decode()}"}
    assert (f"the LangGraph server at {url} " in told) == (answer != 200)
    assert "cret" not in told + caplog.text


def test_a_graph_behind_a_url_keeps_the_password_out_of_the_url(tmp_path: Path) -> None:
    path = config(tmp_path, {"graphs": {"front": GOOD}})
    graph = load_graph("front", path, "http://anna:hunter2@127.0.0.1:9/api").graph
    assert isinstance(graph, RemoteGraph)
    for client in (graph.client, graph.sync_client):
        assert client is not None
        assert str(client.http.client.base_url) == "http://127.0.0.1:9/api/"
        assert client.http.client.headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/?token=hunter2",
        "http://127.0.0.1:9/#hunter2",
        "http://anna:hun\x01hunter2@127.0.0.1:9/",
        "http://anna:hunter2",
    ],
)
def test_a_url_that_cannot_be_asked_is_refused_without_its_secrets(
    url: str, tmp_path: Path
) -> None:
    with pytest.raises(GraphServerError, match="in its URL|invalid URL") as refused:
        load_graph("front", config(tmp_path, {"graphs": {"front": GOOD}}), url)
    assert "hunter2" not in "".join(traceback.format_exception(refused.value, chain=True))
