"""The LiveKit room of a call: the caller, key presses, the session, and recorded speech."""
