"""Whole calls on one machine: livekit-server, worker and simulated caller, each a process."""
