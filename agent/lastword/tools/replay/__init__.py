"""``lastword replay``: replay a transcript and show it."""
