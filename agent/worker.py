"""The composition root: a LiveKit worker that builds each call from its parts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from livekit import rtc
from livekit.agents import AgentServer, AgentSession, JobContext, JobProcess, JobRequest
from livekit.agents.voice import room_io

from agent.call import Call
from agent.call_agent import CallAgent, SpeechTap
from agent.dispatch import Dispatch, read_dispatch
from agent.errors import MetadataError, UnknownGraph
from agent.graph_memory import Memory, open_for_call, prepare_memory
from agent.graph_registry import CallGraph, check_graph, check_server, choose_graph, load_all
from agent.hangup.call_end import CallEnd
from agent.hangup.hang_up import RoomLine, hang_up
from agent.journal import CallJournal
from agent.providers.voices import make_voices
from agent.settings import Settings
from agent.speech_tap import WavTap

_log = logging.getLogger("lastword.worker")


def make_worker(settings: Settings) -> AgentServer:
    """Build the worker, after everything that a call would need has been checked.

    Raises:
        SettingsError: LiveKit's settings are missing, or the models' keys are half-set.
        GraphError: a graph of ``langgraph.json`` does not load, or is not served behind its URL.
        MemoryUnavailable: the graphs' memory cannot be reached.
    """
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
    server = AgentServer(
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

    server.rtc_session(take_call, agent_name=settings.agent_name, on_request=on_request)
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


async def take_call(ctx: JobContext) -> None:
    """Conduct one call in a LiveKit room; returns when the room is gone."""
    line = RoomLine(ctx.api.room, ctx.job.room.name)
    place = ctx.proc.userdata["settings"].graph_memory
    async with AsyncExitStack() as after_the_call:
        try:
            call = make_call(ctx, await open_for_call(place, after_the_call, join=ctx.connect))
        except Exception:
            await hang_up([line])
            raise
        after_the_call.push_async_callback(call.session.aclose)
        end = await call.run(
            partial(start_in, ctx.room), [line], caller_joined=partial(_caller_joined, ctx, call)
        )
        ctx.shutdown(end.reason)


async def _caller_joined(ctx: JobContext, call: Call) -> str:
    """Wait for the caller; from then on, the caller or the room going away ends the call."""
    caller: str | None = None

    def left(participant: rtc.RemoteParticipant) -> None:
        if participant.identity == caller:
            call.end(end_by_leaving(participant.disconnect_reason))

    def disconnected(reason: rtc.DisconnectReason.ValueType) -> None:
        call.end(CallEnd("operator", f"room_{rtc.DisconnectReason.Name(reason).lower()}"))

    ctx.room.on("participant_disconnected", left)
    ctx.room.on("disconnected", disconnected)
    await ctx.connect()
    caller = (await ctx.wait_for_participant()).identity
    if caller not in ctx.room.remote_participants:
        call.end(end_by_leaving(None))
    return caller


def end_by_leaving(reason: rtc.DisconnectReason.ValueType | None) -> CallEnd:
    """Say who ended a call whose caller has left the room, and why.

    Being removed, or the room being deleted, is an operator's doing; everything else, a lost
    network too, is the caller's.
    """
    match reason:
        case None | rtc.DisconnectReason.CLIENT_INITIATED:
            return CallEnd("caller", "caller_hung_up")
        case rtc.DisconnectReason.PARTICIPANT_REMOVED | rtc.DisconnectReason.ROOM_DELETED:
            return CallEnd("operator", rtc.DisconnectReason.Name(reason).lower())
        case _:
            return CallEnd("caller", f"caller_{rtc.DisconnectReason.Name(reason).lower()}")


def make_call(ctx: JobContext, memory: Memory | None = None) -> Call:
    """Build a call from its job and from what the job's process has loaded."""
    settings: Settings = ctx.proc.userdata["settings"]
    dispatch = read_dispatch(ctx.job.metadata)
    call_id = ctx.job.room.name
    return Call(
        call_id,
        graph=_graph(ctx, dispatch, settings),
        dispatch=dispatch,
        journal=CallJournal(call_id),
        voices=ctx.proc.userdata["voices"],
        memory=memory,
        speech_tap=_speech_tap(settings, call_id),
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


def _graph(ctx: JobContext, dispatch: Dispatch, settings: Settings) -> CallGraph:
    graphs: dict[str, CallGraph] = ctx.proc.userdata["graphs"]
    return graphs[choose_graph(dispatch.graph, settings.graph, known=graphs)]


def _speech_tap(settings: Settings, call_id: str) -> SpeechTap | None:
    if settings.speech_dir is None:
        return None
    return WavTap(settings.speech_dir / call_id, tone=settings.closing_tone)
