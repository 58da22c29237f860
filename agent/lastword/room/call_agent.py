"""LiveKit's agent for one call; all it says comes from the graph or the policy."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable

from livekit import rtc
from livekit.agents import Agent, ModelSettings, StopResponse, llm

SpeechTap = Callable[[AsyncIterable[rtc.AudioFrame]], AsyncIterable[rtc.AudioFrame]]


class CallAgent(Agent):
    """The agent of one call.

    Args:
        tools: the call's tools, including ``end_call``.
        opens: whether the graph speaks first.
        answers: returns whether a turn of the caller is to be answered now.
        take_unanswered: returns, once, what the caller said over a farewell that was called off.
        speech_tap: receives the audio of each utterance and passes it on.
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
        """Let the graph speak first, if the policy says so."""
        if self._opens:
            self.session.generate_reply()

    async def on_user_turn_completed(
        self,
        turn_ctx: llm.ChatContext,  # noqa: ARG002 - LiveKit's signature
        new_message: llm.ChatMessage,
    ) -> None:
        """Drop a turn that ends while the call is ending.

        What the caller said over a farewell that was called off is put in front of the turn, unless
        the turn already begins with it.

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
        """Synthesise the text; the audio passes through the tap, if there is one."""
        speech: AsyncIterable[rtc.AudioFrame] = Agent.default.tts_node(self, text, model_settings)
        if self._speech_tap is not None:
            speech = self._speech_tap(speech)
        async for frame in speech:
            yield frame
