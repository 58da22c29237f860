"""A LiveKit worker whose calls follow commands and print what they see.

Run as ``python -m tests.fakes.told_worker start``. LiveKit's settings are in the environment.
A command is the room's metadata, ``<number> <deed>``, with a deed from ``DEEDS``, or ``return``.
(Data packets could be lost while an agent's connection is new.)
The output is lines of JSON: ``fact``, ``room``, ``t`` on ``time.monotonic()``, and more fields.
If the metadata is ``watched``, the worker's process hangs the call up when the job process dies.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from livekit import api, rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    Agent,
    AgentServer,
    AgentSession,
    APIConnectOptions,
    APIError,
    CloseEvent,
    JobContext,
    NotGivenOr,
    cli,
    llm,
    stt,
    utils,
)
from livekit.agents.ipc.job_executor import JobExecutor, JobStatus
from livekit.agents.voice import room_io

WATCHED = "watched"
LOUD = 1000

Tell = Callable[..., None]


def tell(room: str, fact: str, **fields: Any) -> None:
    line = {"fact": fact, "room": room, "t": time.monotonic(), **fields}
    os.write(1, json.dumps(line).encode() + b"\n")  # in one write: other processes log there too


class WatchfulServer(AgentServer):
    """Hangs up the calls of job processes that died."""

    async def run(self, *, devmode: bool = False, unregistered: bool = False) -> None:
        lost: asyncio.Queue[str] = asyncio.Queue()

        def closed(process: JobExecutor) -> None:
            running = process.running_job
            if running is None:
                return
            room, status = running.job.room.name, process.status
            tell(room, "process_closed", status=status.value)
            if status is JobStatus.FAILED and running.job.metadata == WATCHED:
                lost.put_nowait(room)

        def watch() -> None:
            self._proc_pool.on("process_closed", closed)

        self.once("worker_started", watch)
        async with asyncio.TaskGroup() as tasks:
            hanging_up = tasks.create_task(_hang_up(lost))
            await super().run(devmode=devmode, unregistered=unregistered)
            hanging_up.cancel()


async def _hang_up(lost: asyncio.Queue[str]) -> None:
    async with api.LiveKitAPI() as client:
        while True:
            room = await lost.get()
            await client.room.delete_room(api.DeleteRoomRequest(room=room))
            tell(room, "hung_up")


server = WatchfulServer(port=0, host="127.0.0.1", load_fnc=lambda: 0.0, num_idle_processes=1)


class Ears(stt.STT[None]):
    """Recognises no words, but reports every start of sound."""

    def __init__(self, tell: Tell) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))
        self.tell = tell

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        return _Listening(self, conn_options)

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.SpeechEvent:
        raise NotImplementedError("these ears only stream")


class _Listening(stt.RecognizeStream):
    _stt: Ears

    def __init__(self, ears: Ears, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=ears, conn_options=conn_options)

    async def _run(self) -> None:
        was_loud = False
        async for item in self._input_ch:
            if isinstance(item, rtc.AudioFrame):
                loud = bool((np.frombuffer(item.data, np.int16) > LOUD).any())
                if loud and not was_loud:
                    self._stt.tell("heard")
                was_loud = loud


class BrokenModel(llm.LLM[Any]):
    """A model that always fails with an error that is not retryable."""

    def chat(self, *, chat_ctx: llm.ChatContext, **options: Any) -> llm.LLMStream:
        return _Broken(
            self, chat_ctx=chat_ctx, tools=[], conn_options=APIConnectOptions(max_retry=0)
        )


class _Broken(llm.LLMStream):
    async def _run(self) -> None:
        raise APIError("out of order", retryable=False)


class ToldCall:
    """One call: its session, its commands and its facts."""

    def __init__(self, ctx: JobContext) -> None:
        self.ctx = ctx
        self.room = ctx.room
        self.lingers = False
        self.cleans_up = False
        self.orders: asyncio.Queue[str] = asyncio.Queue()
        self.session = self._session("first")

    def tell(self, fact: str, **fields: Any) -> None:
        tell(self.ctx.job.room.name, fact, **fields)

    async def answer(self) -> None:
        self._watch()
        await self.start(self.session)
        await self.session.room_io.wait_for_ready()
        self.tell("ready", pid=os.getpid())
        try:
            await self._obey()
        except asyncio.CancelledError:
            self.tell("entrypoint_cancelled")
            if self.cleans_up:
                await self._clean_up()
            raise
        self.tell("entrypoint_returned")

    async def start(self, session: AgentSession[None]) -> None:
        async def read(_: AgentSession[None], event: room_io.TextInputEvent) -> None:
            self.tell("read", text=event.text)

        text_input = room_io.TextInputOptions(text_input_cb=read)
        options = room_io.RoomOptions(text_input=text_input)
        await session.start(Agent(instructions=""), room=self.room, room_options=options)

    async def second_session(self) -> None:
        await self._session("second").start(Agent(instructions=""), record=False)

    def _session(self, name: str) -> AgentSession[None]:
        session: AgentSession[None] = AgentSession(
            stt=Ears(self.tell),
            llm=BrokenModel(),
            vad=None,
            turn_handling={"turn_detection": "manual"},
            session_close_transcript_timeout=0,
        )

        def closed(event: CloseEvent) -> None:
            self.tell("session_closed", session=name, reason=event.reason.value)

        session.on("close", closed)
        return session

    def _watch(self) -> None:
        async def shut_down(reason: str) -> None:
            self.tell("shutdown_callback", reason=reason, connected=self.room.isconnected())

        def disconnected(reason: rtc.DisconnectReason.ValueType) -> None:
            self.tell("disconnected", reason=rtc.DisconnectReason.Name(reason))
            if not self.lingers:
                self.orders.put_nowait("return")

        def ordered(_: str, metadata: str) -> None:
            deed = metadata.split(" ", 1)[1]
            self.tell("told", deed=deed)
            self.orders.put_nowait(deed)

        self.ctx.add_shutdown_callback(shut_down)
        self.room.on("disconnected", disconnected)
        self.room.on("room_metadata_changed", ordered)
        self.room.on("reconnected", lambda: self.tell("reconnected"))
        self.room.on("participant_connected", lambda other: self.tell("joined", who=other.identity))
        self.room.on("participant_disconnected", self._left)

    def _left(self, other: rtc.RemoteParticipant) -> None:
        reason = other.disconnect_reason
        name = None if reason is None else rtc.DisconnectReason.Name(reason)
        self.tell("left", who=other.identity, reason=name)

    async def _obey(self) -> None:
        while (order := await self.orders.get()) != "return":
            await DEEDS[order](self)
            self.tell("done", deed=order)

    async def _clean_up(self) -> None:
        """Hang up in a job that is being cancelled, with LiveKit's client and with a new one."""
        wanted = api.DeleteRoomRequest(room=self.ctx.job.room.name)
        try:
            await self.ctx.api.room.delete_room(wanted)
        except RuntimeError as error:
            self.tell("no_clean_up", error=str(error))
        async with api.LiveKitAPI() as client:
            await client.room.delete_room(wanted)
        self.tell("cleaned_up")


async def shut_down(call: ToldCall) -> None:
    call.ctx.shutdown("told to")


async def shut_down_session(call: ToldCall) -> None:
    call.session.shutdown()


async def delete_room(call: ToldCall) -> None:
    await call.ctx.delete_room()


async def delete_a_room_that_is_not_there(call: ToldCall) -> None:
    await call.ctx.delete_room("no-such-room")


async def delete_room_without_leave(call: ToldCall) -> None:
    os.environ["LIVEKIT_API_SECRET"] = "not-the-secret" * 3  # noqa: TID251 - LiveKit reads it here
    await call.ctx.delete_room()


async def remove_caller(call: ToldCall) -> None:
    who = api.RoomParticipantIdentity(room=call.room.name, identity="caller")
    await call.ctx.api.room.remove_participant(who)


async def leave(call: ToldCall) -> None:
    """Leave and end the job: neither the own ``disconnected`` event nor the server always does."""
    await call.room.disconnect()
    call.ctx.shutdown("left")
    call.orders.put_nowait("return")


async def crash(call: ToldCall) -> None:
    raise RuntimeError("told to")


async def linger(call: ToldCall) -> None:
    """Stay in the entrypoint even after the room is gone."""
    call.lingers = True


async def clean_up_when_cancelled(call: ToldCall) -> None:
    assert call.ctx.api, "made here, as a job that has used it before would have it"
    call.cleans_up = True


async def fail_to_answer(call: ToldCall) -> None:
    """Fail once more often than a session tolerates."""
    for _ in range(call.session.conn_options.max_unrecoverable_errors + 1):
        await call.session.generate_reply(user_input="hello")


DEEDS: dict[str, Callable[[ToldCall], Awaitable[None]]] = {
    "ctx.shutdown": shut_down,
    "session.aclose": lambda call: call.session.aclose(),
    "session.shutdown": shut_down_session,
    "ctx.delete_room": delete_room,
    "ctx.delete_room elsewhere": delete_a_room_that_is_not_there,
    "ctx.delete_room without leave": delete_room_without_leave,
    "remove_participant": remove_caller,
    "room.disconnect": leave,
    "crash": crash,
    "linger": linger,
    "clean up when cancelled": clean_up_when_cancelled,
    "fail to answer": fail_to_answer,
    "second session": lambda call: call.second_session(),
}


@server.on("worker_registered")
def registered(*_: object) -> None:
    tell("", "registered")


@server.rtc_session(agent_name="told")
async def answer(ctx: JobContext) -> None:
    await ToldCall(ctx).answer()


if __name__ == "__main__":
    cli.run_app(server)
