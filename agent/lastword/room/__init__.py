"""Who is in the room, what they press and say there, and what the agent sends into it."""
