"""``lastword replay``: replay a transcript, show it, and compare the result with it."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from lastword.dispatch import read_dispatch_of
from lastword.errors import ConversationError
from lastword.extras import needs
from lastword.graphs_config import CallGraph, check_graph, choose_graph, graph_specs, load_graph
from lastword.settings import Settings, offline_answers
from lastword.terminal import SafeConsole
from lastword.testing.project_under_test import read_project_under_test
from lastword.testing.replay import Manner, Replayed, run_transcript
from lastword.testing.stage.view import CallView
from lastword.testing.transcripts.transcript import Level, Transcript
from lastword.testing.transcripts.transcript_file import read_transcript
from lastword.tools.replay.view import ReplayView, show_verdict


@dataclass(frozen=True)
class ReplayRequest:
    """What to replay, and how; ``graph`` overrides that of the transcript."""

    path: Path
    level: Level = "graph"
    graph: str | None = None
    in_real_time: bool = False
    live: bool = False
    record: bool = False


async def replay_file(request: ReplayRequest, settings: Settings, console: SafeConsole) -> int:
    """Replay a transcript and print it; returns the exit code, 0 if the result matches it.

    Raises:
        LastwordError: the user's input is wrong, or a process of the call failed.
    """
    asks_model = request.live or request.record
    if not asks_model:
        settings = settings.model_copy(update={"providers": "offline"})
    transcript, name = await asyncio.to_thread(_read, request, settings.graphs_config)
    manner = Manner(
        level=request.level,
        live=asks_model,
        record=request.record,
        project=await asyncio.to_thread(read_project_under_test, settings.graphs_config),
    )
    if request.level == "room":
        done = await _in_a_room(transcript, name, manner, settings, console)
    else:
        view = ReplayView(console, in_real_time=request.in_real_time)
        graph = await asyncio.to_thread(_load, name, settings.graphs_config, asks_model)
        done = await run_transcript(transcript, graph, manner, view.show)
    show_verdict(done, console)
    return 0 if done.passed else 1


def _load(name: str, config: Path, asks_model: bool) -> CallGraph:
    with nullcontext() if asks_model else offline_answers():
        return load_graph(name, config)


def _read(request: ReplayRequest, config: Path) -> tuple[Transcript, str]:
    """The transcript, and the name of its graph."""
    transcript = read_transcript(request.path)
    if request.level not in transcript.levels:
        raise ConversationError(
            f"{request.path} is not for the level {request.level}, only for "
            f"{', '.join(transcript.levels)}: choose the level with --level"
        )
    if request.level == "room":
        needs("a conversation in a room", "offline")
        from lastword.testing.levels.room_call import out_of_reach  # noqa: PLC0415 - an extra

        if (why := out_of_reach(transcript)) is not None:
            raise ConversationError(f"{request.path}: {why}; use another --level")
    known = graph_specs(config)
    name = choose_graph(request.graph, transcript.graph, known=known)
    check_graph(name, list(known), config)
    read_dispatch_of(transcript.metadata)
    return transcript, name


async def _in_a_room(
    transcript: Transcript, graph: str, manner: Manner, settings: Settings, console: SafeConsole
) -> Replayed:
    from lastword.testing.levels.room_call import room_stage  # noqa: PLC0415 - an extra

    async with room_stage(settings, console.print) as stage:
        return await stage.have(transcript, graph, manner, CallView(console))
