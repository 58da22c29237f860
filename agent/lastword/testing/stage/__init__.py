"""A whole call on one machine: livekit-server, worker and simulated caller as real processes."""
