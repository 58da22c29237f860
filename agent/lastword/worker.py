"""The composition root: a LiveKit worker that builds each call from its parts."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from livekit import api
from livekit.agents import AgentServer, AgentSession, JobContext, JobProcess, JobRequest, cli
from livekit.protocol.agent import Job

from lastword.call import Call
from lastword.dispatch import read_dispatch
from lastword.errors import MetadataError, UnknownGraph
from lastword.events import (
    CallRefused,
    Event,
    EventStream,
    WorkerRegistered,
    log_event,
    moment,
)
from lastword.graphs_config import CallGraph, check_graph, check_server, choose_graph, load_all
from lastword.hangup.call_end import CallEnd
from lastword.hangup.closing import Closing
from lastword.hangup.hang_up import (
    Line,
    NoLine,
    ParticipantLine,
    RoomLine,
    hang_up,
    keep_gone,
    persistently,
    surely,
)
from lastword.hangup.phases import FarewellLimits
from lastword.jobs.job_pulse import JobPulse, pulse_pipe
from lastword.jobs.lost_jobs import LostReason, WatchfulServer
from lastword.jobs.worker_log import ignore_strangers_streams, keep_content_out_of_logs
from lastword.memory.database import Memory
from lastword.memory.graph_memory import database_at, open_for_call, prepare_memory
from lastword.private_files import file_name
from lastword.providers.voices import Voices, check_voices, make_voices
from lastword.room.call_agent import CallAgent, SpeechTap
from lastword.room.presence import Presence, connect
from lastword.room.session import start_in
from lastword.room.speech_tap import WavTap
from lastword.settings import Settings, read_settings
from lastword.signals import CallPolicy

MakeClient = Callable[[Settings], AbstractAsyncContextManager[api.LiveKitAPI]]
MakeCall = Callable[[JobContext, Memory | None], Call]

_log = logging.getLogger("lastword.worker")


def make_worker(
    settings: Settings, take: Callable[[JobContext], Awaitable[None]] | None = None
) -> AgentServer:
    """Build the worker, after checking everything that a call needs.

    ``take`` runs a call. It must be a module-level function, because it runs in job processes.
    Default: ``take_call``.

    Raises:
        SettingsError: LiveKit's settings are missing, or only some of the models' keys are set.
        MissingExtra: the models that the settings choose are not installed.
        GraphError: a graph of ``langgraph.json`` does not load, or the graph server does not have
            it.
        MemoryUnavailable: the graphs' memory cannot be reached.
    """
    keep_content_out_of_logs()
    url, key, secret = settings.livekit()
    check_voices(settings)
    _log.info(settings.announcement())
    graphs = load_all(settings.graphs_config, settings.graph_url)
    check_graph(settings.graph, graphs, settings.graphs_config)
    if settings.graph_url is not None:
        check_server(settings.graph_url, graphs)
    default = choose_graph(settings.graph, known=graphs)
    memory = settings.graph_memory
    if memory is not None:
        asyncio.run(prepare_memory(memory))
    loaded = {"graphs": list(graphs), "default": default, "memory": str(memory or "in process")}
    _log.info("graphs loaded", extra=loaded)
    pulses, pulse = pulse_pipe()
    server = WatchfulServer(
        job_lost=partial(end_lost_call, settings, graphs),
        pulses=pulses,
        stall_seconds=settings.job_stall_seconds,
        job_memory_warn_mb=settings.job_memory_warn_mb,
        job_memory_limit_mb=settings.job_memory_limit_mb,
        ws_url=url,
        api_key=key,
        api_secret=secret,
        host=settings.health_host,
        port=settings.health_port,
        load_fnc=_load_by_calls(settings.max_calls) if settings.max_calls else None,
        setup_fnc=partial(prewarm, settings, pulse=pulse),
        preload_modules=["lastword.worker"],
    )
    if settings.idle_processes is not None:
        server.update_options(num_idle_processes=settings.idle_processes)

    async def on_request(request: JobRequest) -> None:
        await answer(request, known=list(graphs), config=settings.graphs_config)

    def registered(worker_id: str, *_: object) -> None:
        log_event(WorkerRegistered(event="worker_registered", **moment(), worker=worker_id))

    server.on("worker_registered", registered)
    server.rtc_session(take or take_call, agent_name=settings.agent_name, on_request=on_request)
    return server


def run_worker(*arguments: str) -> None:
    """Run the worker with the settings; ``arguments`` go to LiveKit's command line.

    Raises:
        LastwordError: see ``make_worker``.
    """
    run_app(make_worker(read_settings()), arguments)


def run_app(server: AgentServer, arguments: Sequence[str]) -> None:
    """Run LiveKit's command line on a worker until the process receives a stop signal."""
    sys.argv = ["lastword worker", *arguments]
    cli.run_app(server)


def prewarm(settings: Settings, process: JobProcess, *, pulse: JobPulse | None = None) -> None:
    """Load models and graphs in a job process before its first call.

    ``pulse`` sends the process's heartbeats to the worker.
    """
    ignore_strangers_streams()
    process.userdata["settings"] = settings
    process.userdata["pulse"] = pulse
    process.userdata["voices"] = make_voices(settings)
    process.userdata["graphs"] = load_all(settings.graphs_config, settings.graph_url)
    if settings.graph_memory is not None:
        database_at(settings.graph_memory)


async def answer(request: JobRequest, *, known: list[str], config: Path) -> None:
    """Accept a call with valid metadata; refuse other calls and log why."""
    try:
        check_graph(read_dispatch(request.job.metadata).graph, known, config)
    except (MetadataError, UnknownGraph) as error:
        events = call_events(request.room.name)
        events.emit(CallRefused(event="call_refused", **events.moment(), error=str(error)))
        await request.reject()
        return
    await request.accept(name="Lastword")


async def take_call(
    ctx: JobContext, *, client: MakeClient | None = None, make: MakeCall | None = None
) -> None:
    """Run one call in a LiveKit room; returns after the hang-up.

    Args:
        ctx: the job.
        client: creates the client of the server API; default: ``server_api``.
        make: builds the call; default: ``make_call``.
    """
    settings: Settings = ctx.proc.userdata["settings"]
    async with AsyncExitStack() as after_the_call:
        pulse: JobPulse | None = ctx.proc.userdata.get("pulse")
        after_the_call.enter_context(pulse.beating() if pulse else nullcontext())
        # Not the job's own client: LiveKit closes it before a cancelled job has hung up.
        rooms = (await after_the_call.enter_async_context((client or server_api)(settings))).room
        room = RoomLine(rooms, ctx.job.room.name)
        try:
            memory = await open_for_call(
                settings.graph_memory, after_the_call, join=partial(connect, ctx)
            )
            call = (make or make_call)(ctx, memory)
        except BaseException:
            await surely(hang_up([room]))
            raise
        after_the_call.push_async_callback(call.session.aclose)
        presence = Presence(
            ctx,
            read_dispatch(ctx.job.metadata),
            end=call.end,
            pressed=call.keypad.press,
            muted=call.closing.agent_muted,
        )

        async def start(session: AgentSession[None], agent: CallAgent) -> None:
            await start_in(ctx.room, await presence.joined(), session, agent)

        lines = lines_of(call.policy, rooms, room, presence, ctx.job.room.name)
        end = await call.run(start, lines, caller_joined=presence.joined)
        if call.policy.hang_up == "room":
            await keep_gone(room)
        ctx.shutdown(end.ended_by)  # LiveKit logs it, and a reason may be personal


def server_api(settings: Settings) -> api.LiveKitAPI:
    """Create a client of LiveKit's server API; use it with ``async with``."""
    url, key, secret = settings.livekit()
    return api.LiveKitAPI(url, key, secret)


def lines_of(
    policy: CallPolicy,
    rooms: api.room_service.RoomService,
    room: RoomLine,
    presence: Presence,
    name: str,
) -> list[Line]:
    """The line to take down at the end of a call, followed by its fallback, if any."""
    caller = ParticipantLine("caller", rooms, name, lambda: presence.caller)
    match policy.hang_up:
        case "room":
            return [room, caller]
        case "caller":
            return [caller, room]
        case "agent":
            return [ParticipantLine("agent", rooms, name, lambda: presence.agent)]


async def end_lost_call(
    settings: Settings, graphs: dict[str, CallGraph], job: Job, why: LostReason
) -> None:
    """Hang up a call whose process exited before its record was closed, and close the record.

    If the job's room is already gone because the caller left, nothing is removed: a room with the
    same name belongs to another call. Nothing is removed either if the policy's hang-up is
    ``agent``, which leaves the caller in the room.
    """
    dispatch = read_dispatch(job.metadata)
    graph = graphs[choose_graph(dispatch.graph, settings.graph, known=graphs)]
    events = call_events(job.room.name)
    async with server_api(settings) as client:
        is_up = await _is_up(client, job)
        closing = Closing(events, FarewellLimits(graph.policy.tail, graph.policy.farewell_max_wait))
        closing.cut_short(CallEnd("error", why))
        lines: list[Line] = []
        if is_up is False:
            lines = [NoLine()]
        elif is_up and graph.policy.hang_up != "agent":
            lines = [RoomLine(client.room, job.room.name)]
        await closing.take_down(lines)
    closing.write_end()


async def _is_up(client: api.LiveKitAPI, job: Job) -> bool | None:
    """Whether the job's room is on the server; None: the server could not be asked."""
    asked = api.ListRoomsRequest(names=[job.room.name])
    try:
        found = await persistently(
            lambda: client.room.list_rooms(asked), "the room of a lost call could not be looked up"
        )
    except Exception:  # noqa: BLE001 - the record must be closed anyway
        _log.exception("the server could not be asked about a lost call; its line may still be up")
        return None
    return job.room.sid in {room.sid for room in found.rooms}


def make_call(
    ctx: JobContext,
    memory: Memory | None = None,
    *,
    graph: CallGraph | None = None,
    voices: Voices | None = None,
    observers: Sequence[BaseCallbackHandler] = (),
    more_context: Mapping[str, Any] | None = None,
) -> Call:
    """Build a call from its job and from what ``prewarm`` loaded in the job's process.

    ``graph`` and ``voices`` replace the loaded ones; the other arguments are those of ``Call``.
    """
    settings: Settings = ctx.proc.userdata["settings"]
    dispatch = read_dispatch(ctx.job.metadata)
    call_id = ctx.job.room.name
    return Call(
        call_id,
        graph=graph or graph_of(ctx),
        dispatch=dispatch,
        events=call_events(call_id, ctx.proc.userdata.get("pulse")),
        thread=thread_of(ctx.job),
        voices=voices or ctx.proc.userdata["voices"],
        memory=memory,
        speech_tap=_speech_tap(settings, call_id),
        observers=observers,
        more_context=more_context,
    )


def call_events(call_id: str, pulse: JobPulse | None = None) -> EventStream:
    """Create a call's event stream, with all its subscribers in a worker.

    ``pulse`` reports to the worker when the record is closed, after the log has it.
    """
    events = EventStream(call_id)
    events.subscribe(log_event)
    if pulse is not None:
        events.subscribe(partial(_report_end, pulse))
    return events


def _report_end(pulse: JobPulse, event: Event) -> None:
    if event["event"] == "call_ended":
        pulse.record_closed()


def thread_of(job: Job) -> str:
    """The ID of a call's thread in LangGraph: the room's name and the job's ID.

    The room alone is not enough. Another caller may use the same room or name later, and must not
    learn what was said before.
    """
    return f"{job.room.name}/{job.id}"


def _load_by_calls(max_calls: int) -> Callable[[AgentServer], float]:
    """Report a worker's load as 0 until it has ``max_calls`` calls, and then as 1."""

    def load(server: AgentServer) -> float:
        return float(len(server.active_jobs) >= max_calls)

    return load


def graph_of(ctx: JobContext) -> CallGraph:
    """The graph that a job's dispatch names, or the worker's default."""
    settings: Settings = ctx.proc.userdata["settings"]
    dispatch = read_dispatch(ctx.job.metadata)
    graphs: dict[str, CallGraph] = ctx.proc.userdata["graphs"]
    return graphs[choose_graph(dispatch.graph, settings.graph, known=graphs)]


def _speech_tap(settings: Settings, call_id: str) -> SpeechTap | None:
    if settings.speech_dir is None:
        return None
    return WavTap(settings.speech_dir / file_name(call_id), tone=settings.closing_tone)
