"""What LiveKit does by itself; Lastword rests on it."""
