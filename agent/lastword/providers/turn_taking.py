"""Turn detection with LiveKit's local models, without a network or a key.

Both models are part of the livekit-agents package; their licence allows use with LiveKit Agents
only.
"""

from __future__ import annotations

from livekit.agents import inference, vad


def local_vad() -> vad.VAD:
    """LiveKit's bundled silero voice activity detection."""
    return inference.VAD(model="silero")


def local_turn_detector() -> inference.TurnDetector:
    """LiveKit's bundled end-of-turn model.

    The version is pinned, because ``TurnDetector()`` without a version chooses the cloud model
    whenever LiveKit keys are set, also those of a local server.
    """
    return inference.TurnDetector(version="v1-mini")
