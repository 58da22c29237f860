"""Fakes for tests: LiveKit's and Lastword's interfaces, implemented without audio devices."""
