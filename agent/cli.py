"""The ``lastword`` command: arguments only; what they do is elsewhere."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer
from livekit.agents import cli as livekit_cli
from rich.console import Console

from agent.dispatch import read_dispatch
from agent.errors import LastwordError
from agent.rehearsal.rehearsal import Rehearsal, rehearse
from agent.settings import PROJECT_ROOT, read_settings
from agent.talk import talk_aloud, talk_typed
from agent.worker import make_worker

app = typer.Typer(
    help="A LiveKit voice agent whose LangGraph graph decides when to hang up.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
SCRIPTS = PROJECT_ROOT / "agent" / "rehearsal" / "scripts"

GraphOption = Annotated[str | None, typer.Option(help="Name of the graph in langgraph.json.")]
MetadataOption = Annotated[str, typer.Option(help="JSON that is sent with the dispatch.")]


@app.command()
def call(
    graph: GraphOption = None,
    script: Annotated[
        str | None,
        typer.Option(help="What the caller says: a YAML file, or the name of a bundled script."),
    ] = None,
    metadata: MetadataOption = "",
    port: Annotated[int | None, typer.Option(help="Port of the local LiveKit server.")] = None,
) -> None:
    """Make a whole call on this machine: local server, worker, simulated caller."""
    rehearsal = Rehearsal(
        settings=read_settings(), graph=graph, script=script, metadata=metadata, port=port
    )
    raise typer.Exit(asyncio.run(rehearse(rehearsal, Console(highlight=False))))


@app.command()
def talk(
    graph: GraphOption = None,
    metadata: MetadataOption = "",
    audio: Annotated[bool, typer.Option(help="Use microphone and loudspeaker.")] = False,
) -> None:
    """Talk to a graph yourself: typed lines, or microphone and loudspeaker."""
    settings = read_settings()
    dispatch = read_dispatch(metadata)
    if audio:
        talk_aloud(settings, graph or dispatch.graph)
    else:
        asyncio.run(talk_typed(settings, graph or dispatch.graph, dispatch, Console()))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def worker(context: typer.Context) -> None:
    """Run the worker: ``worker start`` in production, ``worker dev`` with reload.

    The words after ``worker`` are LiveKit's own; ``worker --help`` lists them.
    """
    server = make_worker(read_settings())
    sys.argv = ["lastword worker", *context.args]
    livekit_cli.run_app(server)


def main() -> None:
    """Run the command; a mistake of the user's is one sentence and exit code 1."""
    try:
        app()
    except LastwordError as error:
        Console(stderr=True, highlight=False).print(
            f"lastword: {error}", markup=False, soft_wrap=True
        )
        raise SystemExit(1) from None
