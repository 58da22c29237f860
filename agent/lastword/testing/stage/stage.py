"""The stage for rehearsed calls: a local server and a worker, which simulated callers call."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from livekit import api

from lastword.errors import LastwordError
from lastword.events import Event, read_event
from lastword.private_files import file_name, make_private_folder
from lastword.settings import Settings, environment_without_keys, inherited_environment
from lastword.testing.stage.caller_job import BreakIn, CallerLine
from lastword.testing.stage.livekit_server import (
    LocalServer,
    build_server,
    find_server,
    running_server,
)
from lastword.testing.stage.processes import StageProcess, json_line, running_process
from lastword.testing.stage.script import read_caller_settings
from lastword.testing.stage.verdict import CallFacts, Verdict, judge
from lastword.testing.stage.view import CallView

MAX_SECONDS = 180
"""Seconds after which the caller hangs up a rehearsed call."""
_JOIN_SECONDS = 60
"""Seconds that a caller may take to synthesise its lines before it joins."""
_PICK_UP_SECONDS = 30.0
_RECORD_SECONDS = 15.0
_LAST_LOOK_SECONDS, _PAUSE = 4.0, 0.1
WORKER_PROCESS = "lastword.testing.stage.worker_process"


@dataclass(frozen=True)
class Plan:
    """One call: what the caller does, and the metadata of the dispatch.

    ``break_ins`` and ``voice`` are those of ``CallerJob``. ``repeats``: the caller repeats a line
    when the agent's words match the project's ``repeat_when``.
    """

    acts: Sequence[CallerLine]
    metadata: dict[str, Any]
    break_ins: Sequence[BreakIn] = ()
    voice: str | None = None
    repeats: bool = True


@dataclass
class CallEvents:
    """The events of one call, as its two sides reported them."""

    caller: list[Mapping[str, Any]] = field(default_factory=list)
    worker: list[Event] = field(default_factory=list)
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the worker has accepted the call."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the worker has closed the call."""


@dataclass(frozen=True)
class WorkerProgram:
    """How a worker is started; it reads its settings from the environment, as ``Settings`` does."""

    name: str
    command: Sequence[str]
    reports_calls: bool = True
    """Whether it logs the events of its calls; if not, a call is known only by what the caller
    reports. Every worker logs that it is registered."""


def worker_program(module: str) -> WorkerProgram:
    """Lastword's worker, as a process that runs the module's ``run_worker``."""
    command = [sys.executable, "-m", WORKER_PROCESS, module, "--drain-timeout", "2"]
    return WorkerProgram("the worker", command)


LASTWORD = worker_program("lastword.worker")


class Stage:
    """A running server and worker; calls can be made one after the other."""

    def __init__(
        self,
        server: LocalServer,
        worker: StageProcess,
        settings: Settings,
        speech: Path,
        caller: StageProcess,
        *,
        reports_calls: bool = True,
    ) -> None:
        self.server = server
        self._reports_calls = reports_calls
        self._worker = worker
        self._settings = settings
        self._speech = speech
        self._waiting: StageProcess | None = caller
        self._calls: dict[str, tuple[CallEvents, CallView | None]] = {}

    async def read_worker(self, registered: asyncio.Event) -> None:
        """Pass the worker's events to their calls until the worker stops.

        Raises:
            CallFailed: the worker stopped; contains its last log lines.
        """
        async for line in self._worker.lines():
            event = read_event(line)
            if event is None:
                continue
            if event["event"] == "worker_registered":
                registered.set()
            elif event["call"] in self._calls:
                self._take(event, *self._calls[event["call"]])
        raise self._worker.failed("stopped")

    def _take(self, event: Event, events: CallEvents, view: CallView | None) -> None:
        events.worker.append(event)
        events.taken.set()
        if view is not None:
            view.worker(event)
        if event["event"] == "call_ended":
            events.over.set()

    async def call(self, plan: Plan, view: CallView | None = None) -> Verdict:
        """Run one call and judge it.

        Raises:
            CallFailed: the caller failed, or the worker did not take or close the call in time.
            UnwritableFile: the call's folder cannot be created.
            SettingsError: the project's ``[tool.lastword.call]`` cannot be read.
        """
        return await asyncio.to_thread(judge, await self.ring(plan, view))

    async def ring(self, plan: Plan, view: CallView | None = None) -> CallFacts:
        """Run one call; returns what is known of it when it is over.

        Raises:
            CallFailed: the caller failed, or the worker did not take or close the call in time.
            UnwritableFile: the call's folder cannot be created.
            SettingsError: the project's ``[tool.lastword.call]`` cannot be read.
        """
        began = datetime.now().astimezone()
        stamp = began.astimezone(UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
        room = file_name(f"{plan.metadata.get('graph', 'call')}-{stamp}")
        folder = self._settings.calls_dir / room
        await asyncio.to_thread(make_private_folder, folder)
        events = CallEvents()
        self._calls[room] = (events, view)
        project = await asyncio.to_thread(read_caller_settings, self._settings.graphs_config)
        job = {
            "url": self.server.url,
            "token": self._ticket(room, plan),
            "lines": [asdict(act) for act in plan.acts],
            "break_ins": [asdict(one) for one in plan.break_ins],
            "voice": plan.voice,
            "recorded_lines": project.lines and str(project.lines),
            "repeat_pattern": project.repeat_when if plan.repeats else None,
            "recording": str(folder / "recording.wav"),
            "max_seconds": MAX_SECONDS,
        }
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._expect(events.taken, _PICK_UP_SECONDS, "did not take the call"))
            await self._run_caller(job, events, view)
        await self._expect(events.over, _RECORD_SECONDS, "did not close the call")
        return CallFacts(
            metadata=plan.metadata,
            began=began,
            caller=events.caller,
            worker=events.worker,
            folder=folder,
            speech=self._speech / file_name(room),
            room_left=await self._is_left(room),
        )

    async def _is_left(self, room: str) -> bool:
        """Whether the room is still on the server some seconds after the call.

        A client that reconnects by itself may create the room again (docs/endings.md). The worker
        checks for that a second time; the wait leaves it the time to do so.
        """
        try:
            async with asyncio.timeout(_LAST_LOOK_SECONDS):
                while room in await self.server.rooms():  # noqa: ASYNC110 - the server sends no event for it
                    await asyncio.sleep(_PAUSE)
        except TimeoutError:
            return True
        return False

    async def _expect(self, fact: asyncio.Event, seconds: float, otherwise: str) -> None:
        if not self._reports_calls:
            return
        try:
            async with asyncio.timeout(seconds):
                await fact.wait()
        except TimeoutError as error:
            raise self._worker.failed(f"{otherwise} within {seconds:g} s") from error

    async def _run_caller(
        self, job: dict[str, Any], events: CallEvents, view: CallView | None
    ) -> None:
        async with self._caller() as caller:
            caller.tell(json.dumps(job))
            async for line in caller.lines():
                entry = json_line(line)
                if "event" in entry:
                    events.caller.append(entry)
                    if view is not None:
                        view.caller(entry)
            if await caller.exit_code() != 0:
                raise caller.failed("failed")

    @asynccontextmanager
    async def _caller(self) -> AsyncIterator[StageProcess]:
        """The caller process that was started with the stage, or a new one."""
        if self._waiting is not None:
            caller, self._waiting = self._waiting, None
            yield caller
            return
        async with a_caller() as caller:
            yield caller

    def _ticket(self, room: str, plan: Plan) -> str:
        key, secret = self.server.api_key, self.server.api_secret
        return caller_ticket(api.AccessToken(key, secret), room, plan, self._settings.agent_name)


def caller_ticket(ticket: api.AccessToken, room: str, plan: Plan, agent_name: str) -> str:
    """Fill in a caller's access token: it may speak and listen in ``room``.

    It may press keys only if the plan has any. The token carries the dispatch of the agent, as in
    production.
    """
    dispatch = api.RoomAgentDispatch(agent_name=agent_name, metadata=json.dumps(plan.metadata))
    grants = api.VideoGrants(
        room_join=True,
        room=room,
        can_publish=True,
        can_publish_sources=["microphone"],
        can_subscribe=True,
        can_publish_data=any(act.keys for act in plan.acts),
        can_update_own_metadata=False,
    )
    return (
        ticket.with_identity("caller")
        .with_ttl(timedelta(seconds=MAX_SECONDS + _JOIN_SECONDS))
        .with_grants(grants)
        .with_room_config(api.RoomConfiguration(agents=[dispatch]))
        .to_jwt()
    )


@asynccontextmanager
async def stage(
    settings: Settings,
    *,
    port: int | None = None,
    report: Callable[[str], object],
    closing_tone: bool = False,
    program: WorkerProgram = LASTWORD,
) -> AsyncIterator[Stage]:
    """Start a local server and the worker; both are stopped when the block is left.

    Args:
        settings: the worker's settings; the local server replaces its LiveKit server.
        port: port of the local server; None: a free one.
        report: called with a line of text when something takes long.
        closing_tone: end each utterance with a tone, so that its end can be measured exactly.
        program: the worker.

    Raises:
        ServerUnavailable: the server can be neither found nor built, or does not start.
        CallFailed: the worker stopped; contains its last log lines.
    """
    binary = find_server()
    if binary is None:
        binary = await asyncio.to_thread(build_server, report)
    with tempfile.TemporaryDirectory(prefix="lastword-") as scratch:
        folder = Path(scratch)
        try:
            async with (
                running_server(binary, port=port, log=folder / "server.log") as server,
                worker_on(
                    server, settings, folder, closing_tone=closing_tone, program=program
                ) as on_stage,
            ):
                yield on_stage
        except* LastwordError as failures:
            raise _first(failures) from None


@asynccontextmanager
async def worker_on(
    server: LocalServer,
    settings: Settings,
    folder: Path,
    *,
    closing_tone: bool = False,
    program: WorkerProgram = LASTWORD,
) -> AsyncIterator[Stage]:
    """Start a worker for a server that is running already; ``stage`` starts both.

    Args:
        server: the server that the worker registers with.
        settings: the worker's settings; ``server`` replaces its LiveKit server.
        folder: folder for the speech that the worker sends.
        closing_tone: as in ``stage``.
        program: the worker.

    Raises:
        CallFailed: the worker stopped; contains its last log lines.
    """
    env = (
        inherited_environment()
        | server.environment
        | {
            "LASTWORD_AGENT_NAME": settings.agent_name,
            "LASTWORD_GRAPHS_CONFIG": str(settings.graphs_config),
            "LASTWORD_PROVIDERS": settings.providers,
            "LASTWORD_HEALTH_HOST": "127.0.0.1",
            "LASTWORD_HEALTH_PORT": "0",
            "LASTWORD_IDLE_PROCESSES": "1",
            "LASTWORD_MAX_CALLS": "4",  # instead of CPU load: a busy machine would refuse the call
            "LASTWORD_STORE": str(settings.calls_dir / "store.sqlite3"),
            "LASTWORD_SPEECH_DIR": str(folder / "speech"),
            "LASTWORD_CLOSING_TONE": str(closing_tone),
        }
    )
    async with (
        running_process(program.name, program.command, env=env) as worker,
        a_caller() as caller,
    ):
        registered = asyncio.Event()
        on_stage = Stage(
            server, worker, settings, folder / "speech", caller, reports_calls=program.reports_calls
        )
        async with asyncio.TaskGroup() as tasks:
            watching = [
                tasks.create_task(on_stage.read_worker(registered)),
                tasks.create_task(_watch(server)),
            ]
            await registered.wait()
            yield on_stage
            for task in watching:
                task.cancel()


def a_caller() -> AbstractAsyncContextManager[StageProcess]:
    """Start a simulated caller, whose environment has no keys; it waits for its job."""
    command = [sys.executable, "-m", "lastword.testing.stage.caller"]
    return running_process("the caller", command, env=environment_without_keys())


async def _watch(server: LocalServer) -> None:
    raise await server.died()


def _first(failures: BaseExceptionGroup[LastwordError]) -> LastwordError:
    """The failure that is reported to the user; the others follow from it."""
    failure = failures.exceptions[0]
    return _first(failure) if isinstance(failure, BaseExceptionGroup) else failure
