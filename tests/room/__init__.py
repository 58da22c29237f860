"""A real server, real processes, real audio."""
