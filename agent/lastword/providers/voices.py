"""The models that hear, speak and find the ends of turns: one choice for a whole process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from livekit.agents import TurnHandlingOptions, stt, tts, vad

from lastword.errors import SettingsError
from lastword.providers import production, turn_taking
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


def make_voices(settings: Settings) -> Voices:
    """Build the models of the chosen set; loads local models, so call it before the call.

    Raises:
        SettingsError: keys are half-set, or the offline set is not installed.
    """
    if settings.chosen_providers() == "production":
        return _production(settings)
    try:
        return _offline()
    except ImportError as error:
        raise SettingsError(
            f"no keys are set and the offline set is not installed ({error.name} is missing): "
            "install lastword[offline], or set the keys in .env.example"
        ) from error


def _production(settings: Settings) -> Voices:
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
