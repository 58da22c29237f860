"""LiveKit's agent for one call: no words of its own, the graph has them all."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable

from livekit import rtc
from livekit.agents import Agent, ModelSettings, llm

SpeechTap = Callable[[AsyncIterable[rtc.AudioFrame]], AsyncIterable[rtc.AudioFrame]]


class CallAgent(Agent):
    """The agent of one call.

    Args:
        tools: the call's tools; ``end_call`` among them.
        opens: let the graph speak first.
        speech_tap: gets the audio of each utterance on its way out and passes it on.
    """

    def __init__(
        self,
        tools: list[llm.Tool | llm.Toolset],
        *,
        opens: bool,
        speech_tap: SpeechTap | None = None,
    ) -> None:
        super().__init__(instructions="", tools=tools)
        self._opens = opens
        self._speech_tap = speech_tap

    async def on_enter(self) -> None:
        """Let the graph open the conversation, if the policy says so."""
        if self._opens:
            self.session.generate_reply()

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """Speak, through the tap if there is one."""
        speech: AsyncIterable[rtc.AudioFrame] = Agent.default.tts_node(self, text, model_settings)
        if self._speech_tap is not None:
            speech = self._speech_tap(speech)
        async for frame in speech:
            yield frame
