"""The levels of a conversation: a call in text, a session with a fake voice, a real room."""
