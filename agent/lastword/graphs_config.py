"""Load graphs by their name in ``langgraph.json``: the same objects that Studio opens."""

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
"""Of a ``langgraph.json``; one with a hundred graphs has 10 KiB."""
SERVER_SECONDS = 10.0
"""How long a LangGraph server may take to answer at start."""


@dataclass(frozen=True)
class CallGraph:
    """A loaded graph: its name, the compiled graph, and how its calls are conducted."""

    name: str
    graph: Pregel[Any, Any, Any, Any] | RemoteGraph
    policy: CallPolicy


def graph_specs(config: Path) -> Mapping[str, str]:
    """Names and module specs (``package.module:variable``) of the graphs in ``config``.

    Raises:
        GraphError: the file is not there or is not a ``langgraph.json``.
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
    """The first name that somebody wants, else the first of the ``known`` ones."""
    return next(name for name in (*wanted, *known) if name)


def check_graph(name: str | None, known: Collection[str], config: Path) -> None:
    """Check that a name that somebody gave is among the ``known`` ones of ``config``.

    Raises:
        UnknownGraph: it is not.
    """
    if name is not None and name not in known:
        raise UnknownGraph(name, list(known), config.name)


def load_graph(name: str, config: Path, url: str | None = None) -> CallGraph:
    """Load one graph, and the ``call_policy`` beside it if its module has one.

    The folder of ``config`` comes first on ``sys.path``, so that the project's own packages are
    found. With a ``url`` the graph of that name runs on the LangGraph server there; the policy is
    the module's.

    Raises:
        UnknownGraph: ``config`` has no graph of that name.
        BrokenGraph: its module does not import, or what it names is not a compiled graph.
        GraphServerError: ``url`` cannot be used.
    """
    # LangGraph takes a second to import, and who only asks for names does not need it.
    from langgraph.pregel import Pregel  # noqa: PLC0415
    from langgraph.pregel.remote import RemoteGraph  # noqa: PLC0415

    from lastword.signals import CallPolicy  # noqa: PLC0415

    specs = graph_specs(config)
    check_graph(name, specs, config)
    spec = specs[name]
    module_name, _, variable = spec.partition(":")
    if not variable or module_name.endswith(".py") or "/" in module_name:
        raise BrokenGraph(name, spec, "name it by module, as in my_project.graph:graph")
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
    """Load every graph of ``config``, so that a broken one shows before any call is taken."""
    return {name: load_graph(name, config, url) for name in graph_specs(config)}


def check_server(url: str, names: Iterable[str]) -> None:
    """Check that the LangGraph server at ``url`` answers and serves the graphs ``names``.

    Raises:
        GraphServerError: it does not.
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
    """The URL without user and password, and the header that says them instead.

    In the URL httpx would put them into its errors and log lines.
    """
    import httpx  # noqa: PLC0415 - only for graphs behind a URL

    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:  # quotes a piece of it
        raise GraphServerError(url, "has a URL that cannot be understood") from None
    if parsed.query or parsed.fragment:
        raise GraphServerError(url, "has a query or a fragment in its URL, which cannot be sent")
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
