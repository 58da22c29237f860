"""The models that hear, speak and find the ends of turns."""
