"""The composition root: a LiveKit worker that builds each call from its parts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from livekit import api, rtc
from livekit.agents import AgentServer, AgentSession, JobContext, JobProcess, JobRequest
from livekit.agents.voice import room_io
from livekit.protocol.agent import Job

from agent.call import Call
from agent.call_agent import CallAgent, SpeechTap
from agent.dispatch import read_dispatch
from agent.errors import MetadataError, UnknownGraph
from agent.graph_memory import Memory, open_for_call, prepare_memory
from agent.graph_registry import CallGraph, check_graph, check_server, choose_graph, load_all
from agent.hangup.call_end import CallEnd
from agent.hangup.closing import Closing
from agent.hangup.hang_up import (
    Line,
    ParticipantLine,
    RoomLine,
    hang_up,
    keep_gone,
    persistently,
    surely,
)
from agent.hangup.phases import Limits
from agent.journal import CallJournal
from agent.log_levels import keep_content_out_of_logs
from agent.lost_jobs import WatchfulServer
from agent.presence import Presence
from agent.providers.voices import Voices, make_voices
from agent.settings import Settings
from agent.speech_tap import WavTap
from graphs.call_signals import CallPolicy

MakeClient = Callable[[Settings], AbstractAsyncContextManager[api.LiveKitAPI]]
MakeCall = Callable[[JobContext, Memory | None], Call]

_log = logging.getLogger("lastword.worker")


def make_worker(
    settings: Settings, take: Callable[[JobContext], Awaitable[None]] | None = None
) -> AgentServer:
    """Build the worker, after everything that a call would need has been checked.

    ``take`` conducts a call; a function of a module, as it runs in processes of its own. Default:
    ``take_call``.

    Raises:
        SettingsError: LiveKit's settings are missing, or the models' keys are half-set.
        GraphError: a graph of ``langgraph.json`` does not load, or is not served behind its URL.
        MemoryUnavailable: the graphs' memory cannot be reached.
    """
    keep_content_out_of_logs()
    url, key, secret = settings.livekit()
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
    server = WatchfulServer(
        job_lost=partial(end_lost_call, settings, graphs),
        ws_url=url,
        api_key=key,
        api_secret=secret,
        host=settings.health_host,
        port=settings.health_port,
        load_fnc=_load_by_calls(settings.max_calls) if settings.max_calls else None,
        setup_fnc=partial(prewarm, settings),
        preload_modules=["agent.worker"],
    )
    if settings.idle_processes is not None:
        server.update_options(num_idle_processes=settings.idle_processes)

    async def on_request(request: JobRequest) -> None:
        await answer(request, known=list(graphs), config=settings.graphs_config)

    server.rtc_session(take or take_call, agent_name=settings.agent_name, on_request=on_request)
    return server


def prewarm(settings: Settings, process: JobProcess) -> None:
    """Load models and graphs in a job process before it has a call."""
    process.userdata["settings"] = settings
    process.userdata["voices"] = make_voices(settings)
    process.userdata["graphs"] = load_all(settings.graphs_config, settings.graph_url)


async def answer(request: JobRequest, *, known: list[str], config: Path) -> None:
    """Take a call whose metadata can be understood; refuse the others with a log line."""
    try:
        check_graph(read_dispatch(request.job.metadata).graph, known, config)
    except (MetadataError, UnknownGraph) as error:
        _log.error("a call was refused: %s", error, extra={"room": request.room.name})
        await request.reject()
        return
    await request.accept(name="Lastword")


async def take_call(
    ctx: JobContext, *, client: MakeClient | None = None, make: MakeCall | None = None
) -> None:
    """Conduct one call in a LiveKit room; returns when its line is down.

    Args:
        ctx: the job.
        client: makes the client of the server API; default: ``server_api``.
        make: builds the call; default: ``make_call``.
    """
    settings: Settings = ctx.proc.userdata["settings"]
    async with AsyncExitStack() as after_the_call:
        # Not the job's own client: LiveKit closes that one before a job that is cancelled has hung
        # up.
        rooms = (await after_the_call.enter_async_context((client or server_api)(settings))).room
        room = RoomLine(rooms, ctx.job.room.name)
        try:
            memory = await open_for_call(settings.graph_memory, after_the_call, join=ctx.connect)
            call = (make or make_call)(ctx, memory)
        except BaseException:
            await surely(hang_up([room]))
            raise
        after_the_call.push_async_callback(call.session.aclose)
        presence = Presence(ctx, call.end)
        ctx.room.on("sip_dtmf_received", lambda pressed: call.keypad.press(pressed.digit))
        lines = lines_of(call.policy, rooms, room, presence, ctx.job.room.name)
        end = await call.run(partial(start_in, ctx.room), lines, caller_joined=presence.joined)
        if call.policy.hang_up == "room":
            await keep_gone(room)
        ctx.shutdown(end.reason)


def server_api(settings: Settings) -> api.LiveKitAPI:
    """A client of LiveKit's server API; use it as ``async with``."""
    url, key, secret = settings.livekit()
    return api.LiveKitAPI(url, key, secret)


def lines_of(
    policy: CallPolicy,
    rooms: api.room_service.RoomService,
    room: RoomLine,
    presence: Presence,
    name: str,
) -> list[Line]:
    """What to take down at the end of a call, and what instead when that cannot be done."""
    caller = ParticipantLine("caller", rooms, name, lambda: presence.caller)
    match policy.hang_up:
        case "room":
            return [room, caller]
        case "caller":
            return [caller, room]
        case "agent":
            return [ParticipantLine("agent", rooms, name, lambda: presence.agent)]


async def end_lost_call(settings: Settings, graphs: dict[str, CallGraph], job: Job) -> None:
    """Take the line of a call down whose process has died, and close its record.

    A process that breaks after its call has nothing to end: its room is gone, or is another call's
    by now. A policy that leaves the caller on the line when the agent goes has nothing to take
    down either.
    """
    dispatch = read_dispatch(job.metadata)
    graph = graphs[choose_graph(dispatch.graph, settings.graph, known=graphs)]
    journal = CallJournal(job.room.name)
    async with server_api(settings) as client:
        is_up = await _is_up(client, job)
        if is_up is False:
            return
        closing = Closing(journal, Limits(graph.policy.tail, graph.policy.farewell_max_wait))
        closing.cut_short(CallEnd("error", "job_lost"))
        is_ours = is_up and graph.policy.hang_up != "agent"
        await closing.take_down([RoomLine(client.room, job.room.name)] if is_ours else [])
    closing.write_end()


async def _is_up(client: api.LiveKitAPI, job: Job) -> bool | None:
    """Whether the job's room is on the server; None: the server does not say."""
    asked = api.ListRoomsRequest(names=[job.room.name])
    try:
        found = await persistently(
            lambda: client.room.list_rooms(asked), "nobody knows of the lost call's room yet"
        )
    except Exception:  # noqa: BLE001 - the record is closed all the same
        _log.exception("nobody can say whether a lost call's line is up; it may be")
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
    """Build a call from its job and from what the job's process has loaded.

    ``graph`` and ``voices`` take the place of those that the process has loaded; the rest is as in
    ``Call``.
    """
    settings: Settings = ctx.proc.userdata["settings"]
    dispatch = read_dispatch(ctx.job.metadata)
    call_id = ctx.job.room.name
    return Call(
        call_id,
        graph=graph or graph_of(ctx),
        dispatch=dispatch,
        journal=CallJournal(call_id),
        voices=voices or ctx.proc.userdata["voices"],
        memory=memory,
        speech_tap=_speech_tap(settings, call_id),
        observers=observers,
        more_context=more_context,
    )


async def start_in(room: rtc.Room, session: AgentSession[None], agent: CallAgent) -> None:
    """Bring a session into a room: audio both ways, and the agent's words as transcription."""
    await session.start(
        agent,
        room=room,
        room_options=room_io.RoomOptions(text_input=False),
        record=False,
    )


def _load_by_calls(max_calls: int) -> Callable[[AgentServer], float]:
    """Report a worker as idle until it has all the calls it may take, and then as full."""

    def load(server: AgentServer) -> float:
        return float(len(server.active_jobs) >= max_calls)

    return load


def graph_of(ctx: JobContext) -> CallGraph:
    """The graph that a job's dispatch asks for, or the worker's default."""
    settings: Settings = ctx.proc.userdata["settings"]
    dispatch = read_dispatch(ctx.job.metadata)
    graphs: dict[str, CallGraph] = ctx.proc.userdata["graphs"]
    return graphs[choose_graph(dispatch.graph, settings.graph, known=graphs)]


def _speech_tap(settings: Settings, call_id: str) -> SpeechTap | None:
    if settings.speech_dir is None:
        return None
    return WavTap(settings.speech_dir / call_id, tone=settings.closing_tone)
