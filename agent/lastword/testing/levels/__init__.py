"""The levels at which a conversation is run: the graph alone, a LiveKit session, a real room."""
