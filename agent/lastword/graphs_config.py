"""Load graphs by their names in ``langgraph.json``: the same objects that Studio opens."""

from __future__ import annotations

import importlib
from base64 import b64encode
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lastword.errors import BrokenGraph, GraphError, GraphServerError, UnknownGraph
from lastword.project import find_modules_in
from lastword.untrusted.bounded_input import MIB, BadInput, read_json, read_text

if TYPE_CHECKING:
    from langgraph.pregel import Pregel
    from langgraph.pregel.remote import RemoteGraph

    from lastword.signals import CallPolicy

POLICY_NAME = "call_policy"
MAX_SIZE = MIB
"""Largest ``langgraph.json`` in bytes; a file with a hundred graphs has 10 KiB."""
SERVER_SECONDS = 10.0
"""Timeout for the check of a LangGraph server at start."""


@dataclass(frozen=True)
class CallGraph:
    """A loaded graph: its name, the compiled graph, and the policy of its calls."""

    name: str
    graph: Pregel[Any, Any, Any, Any] | RemoteGraph
    policy: CallPolicy


def graph_specs(config: Path) -> Mapping[str, str]:
    """The graphs in ``config``: each name with its spec (``package.module:variable``).

    Raises:
        GraphError: the file does not exist or is not a ``langgraph.json``.
    """
    try:
        content = read_json(read_text(config, MAX_SIZE), MAX_SIZE)
    except FileNotFoundError as error:
        raise GraphError(
            f"there is no {config}; run from the project's folder or set LASTWORD_GRAPHS_CONFIG"
        ) from error
    except BadInput as error:
        raise GraphError(f"{config} {error.why}") from error
    match content:
        case {"graphs": dict(graphs)} if graphs:
            return {name: _spec(entry) for name, entry in graphs.items()}
        case _:
            raise GraphError(
                f'{config} names no graphs; it needs {{"graphs": {{"name": "module:graph"}}}}'
            )


def choose_graph(*wanted: str | None, known: Iterable[str]) -> str:
    """The first of the ``wanted`` names that is set, else the first of the ``known`` names."""
    return next(name for name in (*wanted, *known) if name)


def check_graph(name: str | None, known: Collection[str], config: Path) -> None:
    """Check that ``name``, if it is given, is one of the ``known`` names of ``config``.

    Raises:
        UnknownGraph: it is not one of them.
    """
    if name is not None and name not in known:
        raise UnknownGraph(name, list(known), config.name)


def load_graph(name: str, config: Path, url: str | None = None) -> CallGraph:
    """Load one graph, and its module's ``call_policy`` if there is one.

    The folder of ``config`` is put first on ``sys.path``, so that the project's own packages are
    found. With a ``url``, the graph runs on the LangGraph server there; the policy still comes from
    the module.

    Raises:
        UnknownGraph: ``config`` has no graph of this name.
        BrokenGraph: the module does not import, or its variable is not a compiled graph.
        GraphServerError: ``url`` is invalid.
    """
    # LangGraph takes a second to import, and code that only reads the names does not need it.
    from langgraph.pregel import Pregel  # noqa: PLC0415
    from langgraph.pregel.remote import RemoteGraph  # noqa: PLC0415

    from lastword.signals import CallPolicy  # noqa: PLC0415

    specs = graph_specs(config)
    check_graph(name, specs, config)
    spec = specs[name]
    module_name, _, variable = spec.partition(":")
    if not variable or module_name.endswith(".py") or "/" in module_name:
        raise BrokenGraph(name, spec, "name it by module, such as my_project.graph:graph")
    find_modules_in(config.resolve().parent)
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise BrokenGraph(name, spec, f"{type(error).__name__}: {error}") from error
    graph = getattr(module, variable, None)
    if not isinstance(graph, Pregel):
        raise BrokenGraph(
            name, spec, f"{variable!r} is {type(graph).__name__}, not a compiled graph"
        )
    policy = getattr(module, POLICY_NAME, CallPolicy())
    if not isinstance(policy, CallPolicy):
        raise BrokenGraph(
            name, spec, f"its call_policy is {type(policy).__name__}, not a CallPolicy"
        )
    if not url:
        return CallGraph(name, graph, policy)
    bare, headers = _server(url)
    return CallGraph(name, RemoteGraph(name, url=bare, headers=headers), policy)


def load_all(config: Path, url: str | None = None) -> dict[str, CallGraph]:
    """Load every graph of ``config``, so that a broken one is found before the first call."""
    return {name: load_graph(name, config, url) for name in graph_specs(config)}


def check_server(url: str, names: Iterable[str]) -> None:
    """Check that the LangGraph server at ``url`` answers and serves the graphs ``names``.

    Raises:
        GraphServerError: it does not answer, or lacks a graph.
    """
    import httpx  # noqa: PLC0415 - only for graphs behind a URL
    from langgraph_sdk import get_sync_client  # noqa: PLC0415
    from langgraph_sdk.errors import LangGraphError, NotFoundError  # noqa: PLC0415

    try:
        bare, headers = _server(url)
        with get_sync_client(url=bare, headers=headers, timeout=SERVER_SECONDS) as client:
            for name in names:
                client.assistants.search(graph_id=name, limit=1)
    except NotFoundError as error:
        raise GraphServerError(url, f"does not serve {name!r}") from error
    except (httpx.HTTPError, LangGraphError) as error:
        raise GraphServerError(url, f"does not answer ({type(error).__name__})") from error


def _server(url: str) -> tuple[str, dict[str, str]]:
    """Split a URL into the URL without user and password, and the header that carries them.

    httpx puts the whole URL into its errors and log lines.
    """
    import httpx  # noqa: PLC0415 - only for graphs behind a URL

    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:  # its message quotes a part of the URL
        raise GraphServerError(url, "has an invalid URL") from None
    if parsed.query or parsed.fragment:
        raise GraphServerError(url, "has a query or a fragment in its URL, which is not supported")
    if not parsed.userinfo:
        return url, {}
    words = f"{parsed.username}:{parsed.password}".encode()
    bare = str(parsed.copy_with(userinfo=b""))
    return bare, {"Authorization": f"Basic {b64encode(words).decode()}"}


def _spec(entry: object) -> str:
    match entry:
        case str(spec) | {"path": str(spec)}:
            return spec
        case _:
            return str(entry)
