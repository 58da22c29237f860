"""The levels at which a conversation runs: the graph alone, a LiveKit session, a real room."""
