"""The production set is built from settings; no call is made through it here, there are no keys."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.plugins import cartesia, deepgram

from lastword.errors import SettingsError
from lastword.providers.production import production_stt, production_tts
from lastword.providers.voices import make_voices
from lastword.settings import Settings

KEYS: dict[str, Any] = {
    "deepgram_api_key": "d",
    "cartesia_api_key": "c",
    "providers": "production",
}


def test_with_keys_deepgram_hears_and_cartesia_speaks() -> None:
    voices = make_voices(Settings(**KEYS))
    assert voices.name == "production"
    assert isinstance(voices.stt, deepgram.STT)
    assert isinstance(voices.tts, cartesia.TTS)
    assert voices.vad is not None
    assert voices.turn_handling is not None


def test_models_come_from_the_settings() -> None:
    settings = Settings(**KEYS, stt_model="nova-2", tts_model="sonic-2")
    assert production_stt(settings).model == "nova-2"
    assert production_tts(settings).model == "sonic-2"


def test_the_announcement_names_the_models() -> None:
    line = Settings(**KEYS, stt_model="nova-2", language="de").announcement()
    assert "Deepgram nova-2 recognises" in line
    assert "language de" in line


@pytest.mark.parametrize("build", [production_stt, production_tts])
def test_a_missing_key_is_named(build: Any) -> None:
    with pytest.raises(SettingsError, match="_API_KEY is not set"):
        build(Settings(providers="offline"))
