"""``lastword talk``: talk to a graph by typing, or with microphone and loudspeaker."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from livekit.agents import (
    AgentServer,
    AgentSession,
    ConversationItemAddedEvent,
    JobContext,
    JobExecutorType,
    llm,
    utils,
)
from livekit.agents import cli as livekit_cli
from rich.text import Text

from lastword.call import Call
from lastword.dispatch import Dispatch
from lastword.errors import AudioDeviceMissing
from lastword.events import EventStream, log_event
from lastword.extras import needs
from lastword.graphs_config import check_server, choose_graph, graph_specs, load_graph
from lastword.hangup.call_end import CallEnd
from lastword.memory.database import Memory
from lastword.memory.graph_memory import open_memory, prepare_memory
from lastword.memory.memory_url import MemoryPlace
from lastword.providers.voices import TYPED, check_voices
from lastword.room.call_agent import CallAgent
from lastword.room.session import start_in
from lastword.settings import Settings, environment_without_keys
from lastword.signals import CallPolicy
from lastword.terminal import SafeConsole
from lastword.untrusted.printable import lines_of, one_line
from lastword.worker import make_call, prewarm


class Terminal:
    """The terminal as the caller's line: hanging up closes it."""

    name = "terminal"

    def __init__(self) -> None:
        self.closed = False

    async def remove(self) -> None:
        """Stop reading lines."""
        self.closed = True

    async def is_gone(self) -> bool:
        """Whether no more lines are read."""
        return self.closed


async def talk_typed(
    settings: Settings, graph: str | None, dispatch: Dispatch, console: SafeConsole
) -> None:
    """Run a typed conversation until the graph or the user ends it.

    Raises:
        GraphError: the graph does not load, or is not served behind its URL.
        MemoryUnavailable: the graphs' memory cannot be opened.
        MissingExtra: standard input is a terminal, and the extra ``testing``, which reads lines
            from it, is not installed.
    """
    if sys.stdin.isatty():
        needs("lastword talk at a terminal", "testing")
    name = choose_graph(graph, settings.graph, known=graph_specs(settings.graphs_config))
    call_id = utils.shortuuid("typed-call-")
    call_graph = load_graph(name, settings.graphs_config, settings.graph_url)
    await _prepare(settings, name)
    events = EventStream(call_id)
    events.subscribe(log_event)
    async with _opened(settings.graph_memory) as memory:
        call = Call(
            call_id,
            graph=replace(call_graph, policy=_patient(call_graph.policy)),
            dispatch=dispatch,
            events=events,
            voices=TYPED,
            memory=memory,
        )
        console.print(
            f"Talking to {one_line(name)}. An empty line or Ctrl-D hangs up.", style="dim"
        )
        end = await _converse(call, console)
    show_end(end, console)


def _patient(policy: CallPolicy) -> CallPolicy:
    """The policy without limits of silence and duration: typing is slow, and makes no sound."""
    return replace(policy, silence_timeout=None, first_words_timeout=None, max_duration=None)


async def _prepare(settings: Settings, graph: str) -> None:
    """Check the server and the memory before the conversation begins."""
    if settings.graph_url is not None:
        await asyncio.to_thread(check_server, settings.graph_url, [graph])
    if settings.graph_memory is not None:
        await prepare_memory(settings.graph_memory)


@asynccontextmanager
async def _opened(place: MemoryPlace | None) -> AsyncIterator[Memory | None]:
    if place is None:
        yield None
        return
    async with open_memory(place) as memory:
        yield memory


async def _converse(call: Call, console: SafeConsole) -> CallEnd:
    opened = asyncio.Event()

    async def start(session: AgentSession[None], agent: CallAgent) -> None:
        await (await session.start(agent, capture_run=True))
        opened.set()

    async def joined() -> str:
        return "keyboard"

    def show(event: ConversationItemAddedEvent) -> None:
        if isinstance(event.item, llm.ChatMessage) and event.item.role == "assistant":
            said = lines_of(event.item.text_content or "")
            console.print(
                Text.assemble(("agent>", "cyan"), " ", "\n       ".join(said)), soft_wrap=True
            )

    call.session.on("conversation_item_added", show)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(call.run(start, [Terminal()], caller_joined=joined))
            opening = tasks.create_task(opened.wait())
            await asyncio.wait({running, opening}, return_when=asyncio.FIRST_COMPLETED)
            opening.cancel()
            while not call.ended and not running.done():
                await _turn(call, await _read_line())
            return await running
    finally:
        await call.session.aclose()


async def _turn(call: Call, words: str) -> None:
    """Say a line; an empty line is the caller hanging up."""
    if words:
        await call.session.run(user_input=words)
    else:
        call.end(CallEnd("caller", "caller_hung_up"))


async def _read_line() -> str:
    """Read a line from the user; "" at the end of the input."""
    try:
        if sys.stdin.isatty():
            from prompt_toolkit import PromptSession  # noqa: PLC0415 - an extra

            line: str = await PromptSession[str]().prompt_async("you> ")
        else:
            line = await asyncio.to_thread(sys.stdin.readline)
    except (EOFError, KeyboardInterrupt):
        return ""
    return line.strip()


def talk_aloud(settings: Settings, graph: str | None, metadata: str) -> None:
    """Run a conversation with microphone and loudspeaker, in LiveKit's console mode.

    Raises:
        AudioDeviceMissing: there is no microphone, no loudspeaker or no PortAudio.
        SettingsError: only some of the models' keys are set.
        MissingExtra: the models are not installed.
        MemoryUnavailable: the graphs' memory cannot be reached.
    """
    check_voices(settings)
    check_audio_devices()
    name = choose_graph(graph, settings.graph, known=graph_specs(settings.graphs_config))
    load_graph(name, settings.graphs_config, settings.graph_url)
    asyncio.run(_prepare(settings, name))
    server = AgentServer(
        job_executor_type=JobExecutorType.THREAD,
        setup_fnc=partial(prewarm, settings.model_copy(update={"graph": name})),
    )
    server.rtc_session(partial(_take_console_call, metadata))
    sys.argv = ["lastword talk --audio", "console", "--log-level", "warn"]
    livekit_cli.run_app(server)


async def _take_console_call(metadata: str, ctx: JobContext) -> None:
    ctx.job.metadata = metadata
    ctx.job.room.name = utils.shortuuid("console-call-")  # LiveKit's is the same every time
    settings: Settings = ctx.proc.userdata["settings"]

    async def joined() -> str:
        return "console"

    async with _opened(settings.graph_memory) as memory:
        call = make_call(ctx, memory)
        start = partial(start_in, ctx.room, "console")
        end = await call.run(start, [Terminal()], caller_joined=joined)
    show_end(end, SafeConsole())
    _leave()


def _leave() -> None:
    """End the process at once: LiveKit's console cannot be stopped when the call is over.

    An orderly stop closes its event loop while audio callbacks still run.
    """
    if sys.stdin.isatty():
        command = ["stty", "sane"]  # LiveKit's console has turned echo off
        subprocess.run(command, check=False, env=environment_without_keys())  # noqa: S603 - fixed
    sys.stdout.flush()
    os._exit(0)


def show_end(end: CallEnd, console: SafeConsole) -> None:
    """Print who ended the call, why, and the outcome."""
    outcome = f", {json.dumps(end.outcome)}" if end.outcome else ""
    how = one_line(f": {end.reason}{outcome}")
    console.print(Text.assemble("Call ended by ", (end.ended_by, "bold"), how), soft_wrap=True)


def check_audio_devices(query: Callable[[str], object] | None = None) -> None:
    """Check that there is a microphone and a loudspeaker.

    Args:
        query: finds the default device of a kind, "input" or "output"; default: PortAudio's.

    Raises:
        AudioDeviceMissing: the message names what is missing.
    """
    try:
        query = query or _portaudio()
        for kind in ("input", "output"):
            query(kind)
    except OSError as error:
        raise AudioDeviceMissing(
            "PortAudio is not installed, so there is no microphone or loudspeaker "
            "(Debian: apt install libportaudio2); leave --audio out to type instead"
        ) from error
    except ValueError as error:
        raise AudioDeviceMissing(
            f"this machine has no audio device ({error}); leave --audio out to type instead"
        ) from error


def _portaudio() -> Callable[[str], object]:
    sounddevice = importlib.import_module("sounddevice")

    def query(kind: str) -> object:
        try:
            return sounddevice.query_devices(kind=kind)
        except sounddevice.PortAudioError as error:
            raise ValueError(f"no default {kind} device") from error

    return query
