"""The worker of replayed calls.

It is the deployed worker with two differences: its calls use the clock and the model answers of a
transcript, and it reports what the graph did as additional events of the call.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from langgraph.pregel import Pregel
from livekit import api
from livekit.agents import JobContext, TurnHandlingOptions

from lastword.bridge.chat_items import RunPointer
from lastword.call import Call
from lastword.events import GraphAnswered
from lastword.graphs_config import CallGraph
from lastword.memory.database import Memory
from lastword.providers.voices import Voices
from lastword.settings import Settings, read_settings
from lastword.testing.chat_models import models_of
from lastword.testing.coverage import EdgeTracer, GraphShape, shape_of
from lastword.testing.observed import ToolWatch, state_at
from lastword.testing.project_under_test import read_project_under_test
from lastword.testing.replay import Manner, answers_of, as_written, cassette_of
from lastword.testing.transcripts.transcript import AgentTurn, Silence, Transcript
from lastword.testing.transcripts.transcript_file import read_transcript
from lastword.worker import (
    call_events,
    graph_of,
    make_call,
    make_worker,
    run_app,
    take_call,
    thread_of,
)

REPLAY_KEY = "lastword_replay"
"""Key in the dispatch's metadata; its value is an object with ``transcript`` (the file's path), and
``live``, ``record`` and ``context`` as in ``Manner``."""
_TICKET_HOURS = 12


async def take_replayed_call(ctx: JobContext) -> None:
    """Run one call with its transcript's clock and model answers; return when its line is down."""
    metadata = json.loads(ctx.job.metadata)
    asked = metadata.pop(REPLAY_KEY)
    ctx.job.metadata = json.dumps(metadata)
    settings: Settings = ctx.proc.userdata["settings"]
    project = await asyncio.to_thread(read_project_under_test, settings.graphs_config)
    manner = Manner("room", asked["live"], asked["record"], project)
    transcript = await asyncio.to_thread(read_transcript, Path(asked["transcript"]))
    await _Replay(ctx, transcript, manner, asked["context"]).run()


class _Replay:
    """One replayed call."""

    def __init__(
        self,
        ctx: JobContext,
        transcript: Transcript,
        manner: Manner,
        context: Mapping[str, Any],
    ) -> None:
        self._ctx = ctx
        self._transcript = transcript
        self._context = context
        cassette = cassette_of(transcript, manner)
        self._answers = answers_of(cassette, manner)
        self._answers.expect(
            [
                answer
                for turn in transcript.turns
                if isinstance(turn, AgentTurn)
                for answer in turn.model
            ]
        )
        self._tools = ToolWatch()
        self._tracer = EdgeTracer()
        self._ended: asyncio.Queue[RunPointer | None] = asyncio.Queue()
        self._call: Call | None = None

    async def run(self) -> None:
        ticket = self._ticket()
        models = await asyncio.to_thread(models_of, graph_of(self._ctx).graph)
        with as_written(self._transcript, self._answers, models):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._report())
                try:
                    await take_call(self._ctx, client=lambda _: ticket, make=self._make)
                finally:
                    self._ended.put_nowait(None)
        await asyncio.to_thread(self._answers.keep)

    def _ticket(self) -> api.LiveKitAPI:
        """Create a client; its token needs the real clock, by which the server checks it."""
        settings: Settings = self._ctx.proc.userdata["settings"]
        url, key, secret = settings.livekit()
        grants = api.VideoGrants(
            room_admin=True, room_create=True, room_list=True, room=self._ctx.job.room.name
        )
        token = api.AccessToken(key, secret).with_grants(grants)
        return api.LiveKitAPI(url, token=token.with_ttl(timedelta(hours=_TICKET_HOURS)).to_jwt())

    def _make(self, ctx: JobContext, memory: Memory | None) -> Call:
        self._call = make_call(
            ctx,
            memory,
            graph=_with_silence(graph_of(ctx), self._transcript),
            voices=_without_preemption(ctx.proc.userdata["voices"]),
            observers=[self._tools, self._tracer, self._answers],
            more_context=self._context,
        )
        self._call.graph_llm.on("run_ended", lambda _, pointer: self._ended.put_nowait(pointer))
        return self._call

    @cached_property
    def _shape(self) -> GraphShape | None:
        """The shape of the graph; None for a graph in another process."""
        graph = graph_of(self._ctx)
        if not isinstance(graph.graph, Pregel):
            return None
        return shape_of(graph.name, graph.graph, graph.policy)

    async def _report(self) -> None:
        """Report what the graph did, once for each of its runs."""
        wanted = {
            name
            for turn in self._transcript.turns
            if isinstance(turn, AgentTurn)
            for name in turn.state
        }
        events = call_events(self._ctx.job.room.name)
        while (pointer := await self._ended.get()) is not None and self._call is not None:
            moment = events.moment()
            thread = thread_of(self._ctx.job)
            state = await state_at(self._call.graph_llm.graph, thread, pointer["checkpoint_id"])
            seen = {name: value for name, value in (state or {}).items() if name in wanted}
            events.emit(
                GraphAnswered(
                    event="graph_answered",
                    **moment,
                    nodes=pointer["nodes"],
                    tools=[(tool.name, dict(tool.args)) for tool in self._tools.take()],
                    state=json.loads(json.dumps(seen, default=str)),
                    missing=list(self._answers.missing),
                    left=len(self._answers.left),
                    taken=self._tracer.taken(self._shape).to_json() if self._shape else None,
                )
            )


def _with_silence(graph: CallGraph, transcript: Transcript) -> CallGraph:
    """Set the silence limit to the transcript's, so that the call waits only as long as written."""
    silences = [turn.silence for turn in transcript.turns if isinstance(turn, Silence)]
    if not silences:
        return graph
    return replace(graph, policy=replace(graph.policy, silence_timeout=silences[0]))


def _without_preemption(voices: Voices) -> Voices:
    """Turn preemptive generation off, so that each model request is made once."""
    options = TurnHandlingOptions(**(voices.turn_handling or {}))
    options["preemptive_generation"] = {"enabled": False}
    return replace(voices, turn_handling=options)


def run_worker(*arguments: str) -> None:
    """Run the worker of replayed calls; ``arguments`` are for LiveKit's command line."""
    run_app(make_worker(read_settings(), take_replayed_call), arguments)
