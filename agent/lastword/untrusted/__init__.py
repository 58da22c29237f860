"""Untrusted text: bounded parsing, bounded pattern search, and safe printing."""
