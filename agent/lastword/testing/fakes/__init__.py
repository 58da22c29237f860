"""Implementations of LiveKit's and Lastword's interfaces without sound, for tests."""
