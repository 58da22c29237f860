"""LiveKit's own behaviour, on which Lastword depends."""
