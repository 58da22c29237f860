"""Conversations as they are written down."""
