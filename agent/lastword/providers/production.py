"""The production models: Deepgram (STT) and Cartesia (TTS); a graph has its own chat model."""

from __future__ import annotations

from typing import Any

from livekit.agents import stt, tts
from livekit.plugins import cartesia, deepgram
from livekit.plugins.cartesia.models import TTSDefaultVoiceId
from pydantic import SecretStr

from lastword.errors import SettingsError
from lastword.settings import Settings


def production_stt(settings: Settings) -> stt.STT[Any]:
    """Deepgram with the model and language of the settings.

    Raises:
        SettingsError: the key is not set.
    """
    return deepgram.STT(
        model=settings.stt_model,
        language=settings.language,
        api_key=_key("DEEPGRAM_API_KEY", settings.deepgram_api_key),
        base_url=settings.deepgram_base_url,
    )


def production_tts(settings: Settings) -> tts.TTS[Any]:
    """Cartesia with the model, voice and language of the settings.

    Raises:
        SettingsError: the key is not set.
    """
    return cartesia.TTS(
        model=settings.tts_model,
        language=settings.language,
        voice=settings.tts_voice or TTSDefaultVoiceId,
        api_key=_key("CARTESIA_API_KEY", settings.cartesia_api_key),
        base_url=settings.cartesia_base_url,
    )


def _key(variable: str, key: SecretStr | None) -> str:
    if key is None:
        raise SettingsError(f"{variable} is not set")
    return key.get_secret_value()
