"""Tests, by level: unit, session (LiveKit session, text), room (real server, real audio)."""
