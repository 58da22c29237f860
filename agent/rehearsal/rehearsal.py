"""One call on this machine, conducted, shown and judged: ``lastword call``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from agent.dispatch import read_dispatch, read_dispatch_of
from agent.graph_registry import check_graph, graph_specs
from agent.printable import one_line
from agent.private_files import make_private_folder
from agent.rehearsal.script import acts_of, find_script
from agent.rehearsal.stage import Plan, stage
from agent.rehearsal.view import CallView
from agent.settings import Settings
from agent.terminal import SafeConsole
from agent.transcripts.transcript_file import read_transcript


@dataclass(frozen=True)
class Rehearsal:
    """What to rehearse; ``graph`` and ``metadata`` win over what the script says."""

    settings: Settings
    graph: str | None = None
    script: str | None = None
    metadata: str = ""
    port: int | None = None


async def rehearse(rehearsal: Rehearsal, console: SafeConsole) -> int:
    """Make one call and print it; returns the exit code, 0 for a call that ended as it should.

    Raises:
        LastwordError: something the user gave is wrong, or a part of the call broke.
    """
    plan = read_plan(rehearsal)
    await asyncio.to_thread(make_private_folder, rehearsal.settings.calls_dir)
    console.print(one_line(rehearsal.settings.announcement()), style="dim")
    async with stage(rehearsal.settings, port=rehearsal.port, report=console.print) as on_stage:
        verdict = await on_stage.call(plan, CallView(console))
    verdict.show(console)
    return 0 if verdict.good else 1


def read_plan(rehearsal: Rehearsal) -> Plan:
    """Read script and metadata, and check that the graph is there.

    Raises:
        ScriptError, TranscriptError, MetadataError, GraphError: what was given cannot be used.
    """
    config = rehearsal.settings.graphs_config
    known = list(graph_specs(config))
    asked = read_dispatch(rehearsal.metadata)
    wanted = rehearsal.graph or asked.graph
    check_graph(wanted, known, config)
    script = read_transcript(find_script(rehearsal.script, wanted))
    graph = wanted or script.graph
    metadata = {**script.metadata, **asked.metadata, **({"graph": graph} if graph else {})}
    check_graph(read_dispatch_of(metadata).graph, known, config)
    return Plan(acts_of(script), metadata)
