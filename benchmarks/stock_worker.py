"""A worker as in LiveKit's documentation: ``EndCallTool`` with its default settings.

``python -m benchmarks.stock_worker start``. It uses the speech models and the turn detection of
Lastword's worker, reads the same settings, and takes the same short calls.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any

from livekit import rtc
from livekit.agents import (
    NOT_GIVEN,
    Agent,
    AgentServer,
    AgentSession,
    JobContext,
    JobProcess,
    ModelSettings,
    cli,
    llm,
    utils,
)
from livekit.agents.beta.tools import EndCallTool
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions

from benchmarks.goodbyes import GREETING, STOCK_AGENT, goodbye
from lastword.events import WorkerRegistered, log_event, moment
from lastword.private_files import file_name
from lastword.providers.voices import Voices, make_voices
from lastword.room.speech_tap import WavTap
from lastword.settings import Settings, read_settings


class StockModel(llm.LLM[Any]):
    """Calls ``end_call`` after the caller's words, and says goodbye after the tool's result.

    Args:
        metadata: the call's metadata; see ``goodbye``.
    """

    def __init__(self, metadata: dict[str, Any]) -> None:
        super().__init__()
        self.metadata = metadata

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        **_: Any,
    ) -> llm.LLMStream:
        """Answer the last item of the conversation."""
        return _Answer(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class _Answer(llm.LLMStream):
    _llm: StockModel

    async def _run(self) -> None:
        metadata = self._llm.metadata
        if self._chat_ctx.items[-1].type != "function_call_output":
            await asyncio.sleep(metadata["thinks"])
            call_id = utils.shortuuid()
            call = llm.FunctionToolCall(name="end_call", arguments="{}", call_id=call_id)
            self._send(llm.ChoiceDelta(role="assistant", tool_calls=[call]))
            return
        async for word in goodbye(metadata):
            self._send(llm.ChoiceDelta(role="assistant", content=word))

    def _send(self, delta: llm.ChoiceDelta) -> None:
        self._event_ch.send_nowait(llm.ChatChunk(id="stock", delta=delta))


class StockAgent(Agent):
    """Greets the caller; the audio of its speech is written to a file, as in Lastword's calls.

    Args:
        tap: writes the audio of each utterance and passes it on.
    """

    def __init__(self, tap: WavTap) -> None:
        super().__init__(instructions="Say goodbye.", tools=[EndCallTool()])
        self._tap = tap

    async def on_enter(self) -> None:
        """Open the call."""
        self.session.say(GREETING)

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """Speak through the tap."""
        speech: AsyncIterable[rtc.AudioFrame] = Agent.default.tts_node(self, text, model_settings)
        async for frame in self._tap(speech):
            yield frame


def _prewarm(process: JobProcess) -> None:
    process.userdata["settings"] = settings = read_settings()
    process.userdata["voices"] = make_voices(settings)


server = AgentServer(
    port=0, host="127.0.0.1", load_fnc=lambda: 0.0, num_idle_processes=1, setup_fnc=_prewarm
)


@server.on("worker_registered")
def _registered(worker_id: str, *_: object) -> None:
    """Log the registration, which the benchmark waits for."""
    log_event(WorkerRegistered(event="worker_registered", **moment(), worker=worker_id))


@server.rtc_session(agent_name=STOCK_AGENT)
async def take_call(ctx: JobContext) -> None:
    """Take one call."""
    settings: Settings = ctx.proc.userdata["settings"]
    voices: Voices = ctx.proc.userdata["voices"]
    if settings.speech_dir is None:
        raise ValueError("LASTWORD_SPEECH_DIR is not set: run this worker from benchmarks.hangup")
    session: AgentSession[None] = AgentSession(
        llm=StockModel(json.loads(ctx.job.metadata)),
        stt=voices.stt or NOT_GIVEN,
        tts=voices.tts or NOT_GIVEN,
        vad=voices.vad,
        turn_handling=voices.turn_handling or NOT_GIVEN,
    )
    tap = WavTap(settings.speech_dir / file_name(ctx.job.room.name), tone=settings.closing_tone)
    await session.start(StockAgent(tap), room=ctx.room, record=False)
    await ctx.connect()


if __name__ == "__main__":
    cli.run_app(server)
