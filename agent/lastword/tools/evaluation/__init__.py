"""Labelled conversations, run through a graph to see whether it hangs up when it should."""
