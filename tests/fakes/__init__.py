"""Fakes that implement the real interfaces."""
