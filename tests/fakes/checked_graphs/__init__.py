"""Graphs to be checked, good and bad. Every node raises when it is run."""
