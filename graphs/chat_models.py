"""The chat model of the sample graphs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

from langchain_core.language_models import BaseChatModel
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from graphs.rule_model import Rule, RuleChatModel

# A server at OPENAI_BASE_URL often wants no key, but the client insists on one.
_NO_KEY = SecretStr("no-key")


class ChatModelSettings(BaseSettings):
    """Which chat model answers; read from the environment and ``.env``.

    Raises:
        pydantic.ValidationError: a value is of the wrong kind or out of range.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", env_ignore_empty=True, populate_by_name=True
    )

    providers: Literal["auto", "offline", "production"] = Field("auto", alias="LASTWORD_PROVIDERS")
    """``offline`` answers by rules even where a key is set."""
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    model: str = Field("gpt-4.1-mini", alias="LASTWORD_CHAT_MODEL")
    temperature: float | None = Field(None, ge=0, le=2, alias="LASTWORD_CHAT_TEMPERATURE")
    """None leaves it to the model; the reasoning models refuse any other value than their own."""
    timeout: float = Field(10.0, gt=0, alias="LASTWORD_CHAT_TIMEOUT")
    """Seconds that one request may take; a caller does not wait longer on a silent line."""

    @property
    def offline(self) -> bool:
        """True when answers come from rules."""
        return self.providers == "offline" or not (self.openai_api_key or self.openai_base_url)


@cache
def chat_model_settings() -> ChatModelSettings:
    """The settings of this process, read once."""
    return ChatModelSettings()


def chat_model(rules: Sequence[Rule], settings: ChatModelSettings | None = None) -> BaseChatModel:
    """Return the chat model of a graph.

    Args:
        rules: what the offline model knows of the graph's job.
        settings: win over the settings of the process.

    Raises:
        ValueError: ``LASTWORD_PROVIDERS=production`` without a key or server.
    """
    settings = settings or chat_model_settings()
    if settings.offline and settings.providers == "production":
        raise ValueError("LASTWORD_PROVIDERS=production needs OPENAI_API_KEY or OPENAI_BASE_URL")
    if settings.offline:
        return RuleChatModel(rules=rules)
    # It takes a second to import, and only who has a key needs it.
    from langchain_openai import ChatOpenAI  # noqa: PLC0415

    return ChatOpenAI(
        model=settings.model,
        api_key=settings.openai_api_key or _NO_KEY,
        base_url=settings.openai_base_url,
        temperature=settings.temperature,
        timeout=settings.timeout,
        max_retries=1,
    )
