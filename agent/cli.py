"""The ``lastword`` command: arguments only; what they do is elsewhere.

Each command imports what it needs when it runs: LiveKit and LangGraph take seconds.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from agent.dispatch import read_dispatch
from agent.errors import LastwordError
from agent.settings import read_settings

app = typer.Typer(
    help="A LiveKit voice agent whose LangGraph graph decides when to hang up.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

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
    picture: Annotated[
        Path | None, typer.Option(help="Also write what the terminal shows to this SVG file.")
    ] = None,
) -> None:
    """Make a whole call on this machine: local server, worker, simulated caller."""
    from agent.rehearsal.rehearsal import Rehearsal, rehearse

    rehearsal = Rehearsal(
        settings=read_settings(), graph=graph, script=script, metadata=metadata, port=port
    )
    console = Console(highlight=False, record=picture is not None)
    code = asyncio.run(until_signalled(rehearse(rehearsal, console)))
    if picture is not None:
        console.save_svg(str(picture), title="make call")
    raise typer.Exit(code)


@app.command()
def talk(
    graph: GraphOption = None,
    metadata: MetadataOption = "",
    audio: Annotated[bool, typer.Option(help="Use microphone and loudspeaker.")] = False,
) -> None:
    """Talk to a graph yourself: typed lines, or microphone and loudspeaker."""
    from agent.talk import talk_aloud, talk_typed

    settings = read_settings()
    dispatch = read_dispatch(metadata)
    if audio:
        talk_aloud(settings, graph or dispatch.graph, metadata)
    else:
        asyncio.run(talk_typed(settings, graph or dispatch.graph, dispatch, Console()))


@app.command()
def check(
    graphs: Annotated[
        list[str] | None,
        typer.Argument(metavar="GRAPH", help="Names in langgraph.json; default: all."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The langgraph.json, if it is elsewhere.")
    ] = None,
    form: Annotated[
        Literal["text", "json"], typer.Option("--format", help="For people, or for machines.")
    ] = "text",
) -> None:
    """Read graphs without running them: whether calls can end, and only speech is spoken.

    Exits with 1 when there is something to mend.
    """
    from agent.check import check_graphs
    from agent.check.view import as_json, show

    report = check_graphs(config or read_settings().graphs_config, graphs or ())
    if form == "json":
        typer.echo(as_json(report))
    else:
        show(report, Console(highlight=False))
    raise typer.Exit(1 if report.findings else 0)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def worker(context: typer.Context) -> None:
    """Run the worker: ``worker start`` in production, ``worker dev`` with reload.

    The words after ``worker`` are LiveKit's own; ``worker --help`` lists them.
    """
    from livekit.agents import cli as livekit_cli

    from agent.worker import make_worker

    server = make_worker(read_settings())
    sys.argv = ["lastword worker", *context.args]
    livekit_cli.run_app(server)


async def until_signalled(work: Coroutine[Any, Any, int]) -> int:
    """Run ``work``; SIGTERM cancels it like Ctrl-C does, so that it ends what it has started."""
    if (this := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    return await work


def main() -> None:
    """Run the command; a mistake of the user's is one sentence and exit code 1."""
    try:
        app()
    except asyncio.CancelledError:
        raise SystemExit(143) from None
    except LastwordError as error:
        Console(stderr=True, highlight=False).print(
            f"lastword: {error}", markup=False, soft_wrap=True
        )
        raise SystemExit(1) from None
