"""Benchmarks behind the figures in the documents; run a benchmark with ``python -m``."""
