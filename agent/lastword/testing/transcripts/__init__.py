"""Transcripts: written conversations, and the files that hold them."""
