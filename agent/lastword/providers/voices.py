"""The speech models of a process: recognition, synthesis and turn detection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from livekit.agents import TurnHandlingOptions, stt, tts, vad

from lastword.extras import needs
from lastword.providers import turn_taking
from lastword.settings import Settings


@dataclass(frozen=True)
class Voices:
    """The speech models of an agent session; a typed conversation has none."""

    name: str
    tts: tts.TTS[Any] | None = None
    stt: stt.STT[Any] | None = None
    vad: vad.VAD | None = None
    turn_handling: TurnHandlingOptions | None = None


TYPED = Voices("typed", turn_handling=TurnHandlingOptions(turn_detection=None))


def check_voices(settings: Settings) -> None:
    """Check that the chosen models can be loaded, without loading them.

    Raises:
        SettingsError: some of the production keys are set and some are not.
        MissingExtra: the extra of the models is not installed.
    """
    if settings.chosen_providers() == "production":
        needs("production speech (Deepgram and Cartesia)", "deepgram", "cartesia")
    elif settings.providers == "offline":
        needs("LASTWORD_PROVIDERS=offline", "offline")
    else:
        needs("offline speech, used because no keys are set,", "offline")


def make_voices(settings: Settings) -> Voices:
    """Create the chosen models. It loads local models, so run it before a call starts.

    Raises:
        SettingsError, MissingExtra: as ``check_voices``.
    """
    check_voices(settings)
    return _production(settings) if settings.chosen_providers() == "production" else _offline()


def _production(settings: Settings) -> Voices:
    from lastword.providers import production  # noqa: PLC0415 - an extra

    return Voices(
        name="production",
        stt=production.production_stt(settings),
        tts=production.production_tts(settings),
        vad=turn_taking.local_vad(),
        turn_handling=TurnHandlingOptions(
            turn_detection=turn_taking.local_turn_detector(),
            # LiveKit's adaptive mode holds back speech over the agent, including goodbyes
            interruption={"mode": "vad"},
        ),
    )


def _offline() -> Voices:
    from lastword.providers.offline import espeak_tts, sphinx_stt  # noqa: PLC0415 - an extra

    hearing, speaking = sphinx_stt.SphinxSTT(), espeak_tts.EspeakTTS()
    hearing.prewarm()
    speaking.prewarm()
    return Voices(
        name="offline",
        stt=hearing,
        tts=speaking,
        vad=turn_taking.local_vad(),
        turn_handling=TurnHandlingOptions(
            turn_detection=turn_taking.local_turn_detector(),
            interruption={"mode": "vad"},  # "adaptive" needs a cloud model
        ),
    )
