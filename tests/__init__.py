"""Tests, by level: unit, session (LiveKit session, text), room (real server, real audio)."""

from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent
