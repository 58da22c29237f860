"""The processes that run calls: heartbeats, lost jobs, and what they may log."""
