"""LiveKit's agent for one call: no words of its own, the graph has them all."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable

from livekit import rtc
from livekit.agents import Agent, ModelSettings, StopResponse, llm

SpeechTap = Callable[[AsyncIterable[rtc.AudioFrame]], AsyncIterable[rtc.AudioFrame]]


class CallAgent(Agent):
    """The agent of one call.

    Args:
        tools: the call's tools; ``end_call`` among them.
        opens: let the graph speak first.
        answers: whether what the caller says now is to be answered.
        take_unanswered: hands over, once, what the caller said over a farewell that was called off.
        speech_tap: gets the audio of each utterance on its way out and passes it on.
    """

    def __init__(
        self,
        tools: list[llm.Tool | llm.Toolset],
        *,
        opens: bool,
        answers: Callable[[], bool],
        take_unanswered: Callable[[], list[str]],
        speech_tap: SpeechTap | None = None,
    ) -> None:
        super().__init__(instructions="", tools=tools)
        self._opens = opens
        self._answers = answers
        self._take_unanswered = take_unanswered
        self._speech_tap = speech_tap

    async def on_enter(self) -> None:
        """Let the graph open the conversation, if the policy says so."""
        if self._opens:
            self.session.generate_reply()

    async def on_user_turn_completed(
        self,
        turn_ctx: llm.ChatContext,  # noqa: ARG002 - LiveKit's
        new_message: llm.ChatMessage,
    ) -> None:
        """Answer nothing that is said while the call ends.

        What the caller said over a farewell comes in front of the turn, unless the turn begins
        with it.

        Raises:
            StopResponse: the call is ending.
        """
        if not self._answers():
            raise StopResponse
        said = self._take_unanswered()
        text = new_message.text_content or ""
        missing = next(
            said[:number]
            for number in range(len(said) + 1)
            if text.startswith(" ".join(said[number:]))
        )
        if missing:
            new_message.content = [" ".join([*missing, text])]

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """Speak, through the tap if there is one."""
        speech: AsyncIterable[rtc.AudioFrame] = Agent.default.tts_node(self, text, model_settings)
        if self._speech_tap is not None:
            speech = self._speech_tap(speech)
        async for frame in speech:
            yield frame
