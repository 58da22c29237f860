"""The models that hear, speak and find the ends of turns: one choice for a whole process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from livekit.agents import TurnHandlingOptions, stt, tts, vad

from lastword.extras import needs
from lastword.providers import turn_taking
from lastword.settings import Settings


@dataclass(frozen=True)
class Voices:
    """What an agent session needs besides the graph; a typed conversation needs none of it."""

    name: str
    tts: tts.TTS[Any] | None = None
    stt: stt.STT[Any] | None = None
    vad: vad.VAD | None = None
    turn_handling: TurnHandlingOptions | None = None


TYPED = Voices("typed", turn_handling=TurnHandlingOptions(turn_detection=None))


def check_voices(settings: Settings) -> None:
    """Check that the chosen set of models can be built, without building it.

    Raises:
        SettingsError: keys are half-set.
        MissingExtra: the set is not installed.
    """
    if settings.chosen_providers() == "production":
        needs("the production set (Deepgram and Cartesia)", "deepgram", "cartesia")
    elif settings.providers == "offline":
        needs("LASTWORD_PROVIDERS=offline", "offline")
    else:
        needs("the offline set, which is used as no keys are set,", "offline")


def make_voices(settings: Settings) -> Voices:
    """Build the models of the chosen set; loads local models, so call it before the call.

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
            # LiveKit's adaptive mode keeps back what is said over the agent, goodbyes too
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
            interruption={"mode": "vad"},  # the other one is a cloud model
        ),
    )
