"""The databases that keep the graphs' checkpoints, and the types that they may restore."""
