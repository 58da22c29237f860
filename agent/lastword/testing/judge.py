"""Ask LiveKit's judge, a language model, whether an answer fulfils its intent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from livekit.agents import NOT_GIVEN, llm
from livekit.agents.voice.run_result import ChatMessageEvent, RunResult

from lastword.errors import SettingsError
from lastword.extras import needs
from lastword.settings import read_settings

Judge = Callable[[str, str], Awaitable[str]]
"""Called with the agent's words and the intent; returns what is wrong, "" means nothing."""


def make_judge(model: str | None = None) -> Judge:
    """Create a judge that asks a model at OpenAI, or at any server with OpenAI's interface.

    Args:
        model: the name of the model; default: ``LASTWORD_JUDGE_MODEL``.

    Raises:
        SettingsError: neither OPENAI_API_KEY nor OPENAI_BASE_URL is set.
        MissingExtra: the OpenAI client is not installed.
    """
    settings = read_settings()
    if not (settings.openai_api_key or settings.openai_base_url):
        raise SettingsError(
            "--lastword-judge needs a real model: set OPENAI_API_KEY, or OPENAI_BASE_URL for "
            "your own server"
        )
    needs("--lastword-judge", "openai")
    from livekit.plugins import openai  # noqa: PLC0415 - an extra

    key = settings.openai_api_key
    name = model or settings.judge_model

    async def judge(said: str, intent: str) -> str:
        asked = openai.LLM(
            model=name,
            api_key=key.get_secret_value() if key else "no-key",
            base_url=settings.openai_base_url or NOT_GIVEN,
        )
        try:
            return await judged_by(asked, said, intent)
        finally:
            await asked.aclose()

    return judge


async def judged_by(model: llm.LLM[Any], said: str, intent: str) -> str:
    """Return what LiveKit's judge with ``model`` finds wrong with an answer; "" means nothing."""
    result: RunResult[None] = RunResult(output_type=None)
    result.events.append(ChatMessageEvent(llm.ChatMessage(role="assistant", content=[said])))
    try:
        await result.expect[0].is_message(role="assistant").judge(model, intent=intent)
    except AssertionError as error:
        return str(error).splitlines()[0]
    return ""
