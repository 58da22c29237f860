"""Find the ends of turns on this machine: LiveKit's own local models, no network, no key.

Both come inside the livekit-agents package; their licence allows use with LiveKit Agents only.
"""

from __future__ import annotations

from livekit.agents import inference, vad


def local_vad() -> vad.VAD:
    """LiveKit's bundled silero voice activity detection."""
    return inference.VAD(model="silero")


def local_turn_detector() -> inference.TurnDetector:
    """LiveKit's bundled end-of-turn model.

    The version is pinned because a bare ``TurnDetector()`` chooses the cloud model whenever
    LiveKit keys are set, a local server's included.
    """
    return inference.TurnDetector(version="v1-mini")
