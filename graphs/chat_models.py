"""The chat model of the sample graphs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

from langchain_core.language_models import BaseChatModel
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from graphs.rule_model import Rule, RuleChatModel

# A server at OPENAI_BASE_URL often needs no key, but the client requires one.
_NO_KEY = SecretStr("no-key")


class ChatModelSettings(BaseSettings):
    """Settings of the chat model, read from the environment and ``.env``.

    Raises:
        pydantic.ValidationError: a value has the wrong type or is out of range.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", env_ignore_empty=True, populate_by_name=True
    )

    providers: Literal["auto", "offline", "production"] = Field("auto", alias="LASTWORD_PROVIDERS")
    """``offline`` uses the rules even if a key is set."""
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    model: str = Field("gpt-4.1-mini", alias="LASTWORD_CHAT_MODEL")
    temperature: float | None = Field(None, ge=0, le=2, alias="LASTWORD_CHAT_TEMPERATURE")
    """None uses the model's default; reasoning models reject any other value."""
    timeout: float = Field(10.0, gt=0, alias="LASTWORD_CHAT_TIMEOUT")
    """Seconds allowed for one request; a caller does not wait longer on a silent line."""

    @property
    def offline(self) -> bool:
        """True if the offline rules answer instead of a language model."""
        return self.providers == "offline" or not (self.openai_api_key or self.openai_base_url)


@cache
def chat_model_settings() -> ChatModelSettings:
    """Return the settings of this process, which are read once."""
    return ChatModelSettings()


def chat_model(rules: Sequence[Rule], settings: ChatModelSettings | None = None) -> BaseChatModel:
    """Return the chat model of a graph.

    Args:
        rules: the rules of the offline model for this graph.
        settings: override the settings of the process.

    Raises:
        ValueError: ``LASTWORD_PROVIDERS=production`` without a key or server.
    """
    settings = settings or chat_model_settings()
    if settings.offline and settings.providers == "production":
        raise ValueError("LASTWORD_PROVIDERS=production needs OPENAI_API_KEY or OPENAI_BASE_URL")
    if settings.offline:
        return RuleChatModel(rules=rules)
    # Imported here because the import takes a second and offline runs do not need it.
    from langchain_openai import ChatOpenAI  # noqa: PLC0415

    return ChatOpenAI(
        model=settings.model,
        api_key=settings.openai_api_key or _NO_KEY,
        base_url=settings.openai_base_url,
        temperature=settings.temperature,
        timeout=settings.timeout,
        max_retries=1,
    )
