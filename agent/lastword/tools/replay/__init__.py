"""Run a transcript again, and show it: ``lastword replay``."""
