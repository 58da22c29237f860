"""``lastword call``: run one call on this machine, show it and judge it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from lastword.dispatch import read_dispatch, read_dispatch_of
from lastword.graphs_config import check_graph, choose_graph, graph_specs
from lastword.private_files import make_private_folder
from lastword.providers.voices import check_voices
from lastword.settings import Settings
from lastword.terminal import SafeConsole
from lastword.testing.stage.script import acts_of, find_script, read_caller_settings
from lastword.testing.stage.stage import Plan, stage
from lastword.testing.stage.view import CallView
from lastword.testing.transcripts.transcript_file import read_transcript
from lastword.untrusted.printable import one_line


@dataclass(frozen=True)
class Rehearsal:
    """What to rehearse; ``graph`` and ``metadata`` override those of the script."""

    settings: Settings
    graph: str | None = None
    script: str | None = None
    metadata: str = ""
    port: int | None = None


async def rehearse(rehearsal: Rehearsal, console: SafeConsole) -> int:
    """Run one call and print it; returns the exit code, 0 if ``Verdict.good``.

    Raises:
        LastwordError: the user's input is wrong, or a process of the call failed.
    """
    plan = read_plan(rehearsal)
    check_voices(rehearsal.settings)
    await asyncio.to_thread(make_private_folder, rehearsal.settings.calls_dir)
    console.print(one_line(rehearsal.settings.announcement()), style="dim")
    async with stage(rehearsal.settings, port=rehearsal.port, report=console.print) as on_stage:
        verdict = await on_stage.call(plan, CallView(console))
    verdict.show(console)
    return 0 if verdict.good else 1


def read_plan(rehearsal: Rehearsal) -> Plan:
    """Read script and metadata, and check that the graph exists.

    Raises:
        ScriptError, TranscriptError, MetadataError, GraphError, SettingsError: the user's input
            cannot be used.
    """
    config = rehearsal.settings.graphs_config
    known = list(graph_specs(config))
    scripts = read_caller_settings(config).scripts
    asked = read_dispatch(rehearsal.metadata)
    wanted = rehearsal.graph or asked.graph
    check_graph(wanted, known, config)
    called = choose_graph(wanted, rehearsal.settings.graph, known=known)
    script = read_transcript(find_script(rehearsal.script, called, scripts))
    graph = wanted or script.graph
    metadata = {**script.metadata, **asked.metadata, **({"graph": graph} if graph else {})}
    check_graph(read_dispatch_of(metadata).graph, known, config)
    return Plan(acts_of(script), metadata)
