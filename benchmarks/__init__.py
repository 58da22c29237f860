"""Measurements behind the figures in the documents; each module runs by ``python -m``."""
