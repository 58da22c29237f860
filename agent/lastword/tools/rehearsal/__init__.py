"""A whole call on one machine: local server, simulated caller, view, recording."""
