"""The ``lastword`` command: arguments only; ``lastword.tools`` has what the commands do.

Each command imports what it needs when it runs, because LiveKit and LangGraph take seconds.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

import lastword
from lastword.dispatch import read_dispatch
from lastword.extras import needs
from lastword.settings import make_checkpoints_strict, read_settings
from lastword.terminal import SafeConsole, run_command

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

eval_app = typer.Typer(
    help="Measure a graph's decisions on labelled conversations.", no_args_is_help=True
)
app.add_typer(eval_app, name="eval")

GraphOption = Annotated[str | None, typer.Option(help="Name of the graph in langgraph.json.")]
MetadataOption = Annotated[str, typer.Option(help="Metadata of the dispatch, as JSON text.")]
_Result = TypeVar("_Result")


def _print_version(*, wanted: bool) -> None:
    if wanted:
        SafeConsole().print(f"lastword {lastword.__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """A LiveKit voice agent whose LangGraph graph decides when to hang up."""


@app.command()
def call(
    graph: GraphOption = None,
    script: Annotated[
        str | None,
        typer.Option(help="The caller script: a YAML file, or the name of one of the project's."),
    ] = None,
    metadata: MetadataOption = "",
    port: Annotated[int | None, typer.Option(help="Port of the local LiveKit server.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Also save the terminal output as this SVG file.")
    ] = None,
) -> None:
    """Run a whole call on this machine: LiveKit server, worker and simulated caller."""
    needs("lastword call", "offline")
    from lastword.private_files import private_file
    from lastword.tools.rehearsal.command import Rehearsal, rehearse

    rehearsal = Rehearsal(
        settings=read_settings(), graph=graph, script=script, metadata=metadata, port=port
    )
    console = SafeConsole(record=picture is not None)
    code = asyncio.run(until_signalled(rehearse(rehearsal, console)))
    if picture is not None:
        with private_file(picture) as file:
            file.write(console.export_svg(title="lastword call").encode())
    raise typer.Exit(code)


@app.command()
def talk(
    graph: GraphOption = None,
    metadata: MetadataOption = "",
    audio: Annotated[bool, typer.Option(help="Use microphone and loudspeaker.")] = False,
) -> None:
    """Talk to a graph: by typing, or with microphone and loudspeaker."""
    from lastword.tools.talk import talk_aloud, talk_typed

    settings = read_settings()
    dispatch = read_dispatch(metadata)
    if audio:
        talk_aloud(settings, graph or dispatch.graph, metadata)
    else:
        asyncio.run(talk_typed(settings, graph or dispatch.graph, dispatch, SafeConsole()))


@app.command()
def replay(
    file: Annotated[
        Path, typer.Argument(help="A transcript, such as `lastword call` writes (YAML).")
    ],
    level: Annotated[
        Literal["graph", "session", "room"],
        typer.Option(
            help="Run it as text, in a LiveKit session with a fake voice, or in a real room."
        ),
    ] = "graph",
    graph: GraphOption = None,
    real_time: Annotated[
        bool, typer.Option("--real-time", help="Show the conversation at the speed of speech.")
    ] = False,
    live: Annotated[bool, typer.Option("--live", help="Ask the real chat model.")] = False,
    record: Annotated[
        bool, typer.Option("--record", help="As --live, and save the answers in a cassette.")
    ] = False,
) -> None:
    """Replay a written or recorded conversation, and check what it expects."""
    from lastword.tools.replay.command import ReplayRequest, replay_file

    request = ReplayRequest(file, level, graph, real_time, live, record)
    console = SafeConsole()
    raise typer.Exit(asyncio.run(until_signalled(replay_file(request, read_settings(), console))))


@app.command()
def check(
    graphs: Annotated[
        list[str] | None,
        typer.Argument(metavar="GRAPH", help="Names in langgraph.json. Default: all."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Path of langgraph.json, if it is not here.")
    ] = None,
    form: Annotated[
        Literal["text", "json"], typer.Option("--format", help="Output for people or for programs.")
    ] = "text",
) -> None:
    """Find mistakes in graphs without running them, such as a call that cannot end.

    The graphs' modules are imported, which runs their top-level code: check only code that you
    trust. The exit code is 1 when there are findings.
    """
    from lastword.tools.check import check_graphs
    from lastword.tools.check.view import as_json, show

    console = SafeConsole()
    report = check_graphs(config or read_settings().graphs_config, graphs or ())
    if form == "json":
        console.print(as_json(report), soft_wrap=True)
    else:
        show(report, console)
    raise typer.Exit(1 if report.findings else 0)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def worker(context: typer.Context) -> None:
    """Run the worker: `worker start` in production, `worker dev` with reload.

    The arguments after `worker` are those of LiveKit Agents; `worker --help` lists them.
    """
    from livekit.agents import AgentServer

    from lastword.worker import run_app, run_worker

    if not context.args or "--help" in context.args:
        run_app(AgentServer(), context.args)
    else:
        run_worker(*context.args)


@eval_app.command()
def ends(
    dataset: Annotated[str, typer.Argument(help="A JSONL file of labelled cases.")],
    graph: GraphOption = None,
    history: Annotated[
        Literal["given", "replayed"],
        typer.Option(
            help="given: the graph gets the words of both sides; "
            "replayed: it gets the caller's words and answers them itself."
        ),
    ] = "given",
    metadata: MetadataOption = "",
    model: Annotated[
        str | None,
        typer.Option(help="Chat model: sets LASTWORD_CHAT_MODEL, for graphs that read it."),
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Compare with another graph on the same cases.")
    ] = None,
    against_model: Annotated[
        str | None,
        typer.Option(help="Compare with another chat model, set as by --model."),
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, help="Number of cases to run at once.")] = 4,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Run at most this many cases, spread over the file.")
    ] = None,
    category: Annotated[
        list[str] | None, typer.Option(help="Run only cases of this category. Can be repeated.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures and all cases to this file.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the report to this file as Markdown.")
    ] = None,
    fail_under_precision: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Exit with 1 below this precision (0 to 1)."),
    ] = None,
    fail_under_recall: Annotated[
        float | None, typer.Option(min=0, max=1, help="Exit with 1 below this recall (0 to 1).")
    ] = None,
) -> None:
    """Measure how often a graph hangs up when it should, on labelled conversations."""
    from lastword.tools.evaluation.ends import EndsRequest, measure_ends

    request = EndsRequest(
        dataset=dataset,
        graph=graph,
        history=history,
        metadata=metadata,
        model=model,
        against=against,
        against_model=against_model,
        parallel=parallel,
        limit=limit,
        categories=tuple(category or ()),
        json_file=json_file,
        out=out,
        least_precision=fail_under_precision,
        least_recall=fail_under_recall,
    )
    measure_ends(
        request,
        read_settings(),
        SafeConsole(),
        run=lambda work: asyncio.run(until_signalled(work)),
    )


async def until_signalled(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run ``work``; SIGTERM cancels it like Ctrl-C does, so that it stops what it has started."""
    if (this := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    return await work


def main(run: Callable[[], object] = app) -> None:
    """Run the command; a user's mistake is printed as one sentence, with exit code 1."""
    make_checkpoints_strict()
    run_command(run)
