"""Ask LiveKit's judge, which is a language model, whether an answer means what it should."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from livekit.agents import NOT_GIVEN, llm
from livekit.agents.voice.run_result import ChatMessageEvent, RunResult

from lastword.errors import SettingsError
from lastword.extras import needs
from lastword.settings import read_settings

Judge = Callable[[str, str], Awaitable[str]]
"""Called with what the agent said and the intent; returns what is wrong, "" for nothing."""


def make_judge(model: str | None = None) -> Judge:
    """Make a judge that asks a model of OpenAI, or of any server with OpenAI's interface.

    Args:
        model: its name; default: ``LASTWORD_JUDGE_MODEL``.

    Raises:
        SettingsError: neither key nor server is set.
        MissingExtra: the client of OpenAI's interface is not installed.
    """
    settings = read_settings()
    if not (settings.openai_api_key or settings.openai_base_url):
        raise SettingsError(
            "--lastword-judge asks a real model: set OPENAI_API_KEY, or OPENAI_BASE_URL for a "
            "server of your own"
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
    """What LiveKit's judge, asking ``model``, finds wrong with an answer; "" for nothing."""
    result: RunResult[None] = RunResult(output_type=None)
    result.events.append(ChatMessageEvent(llm.ChatMessage(role="assistant", content=[said])))
    try:
        await result.expect[0].is_message(role="assistant").judge(model, intent=intent)
    except AssertionError as error:
        return str(error).splitlines()[0]
    return ""
