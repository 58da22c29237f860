"""Conversations as tests: written down, replayed, judged."""
