"""``python -m agent`` is ``lastword``."""

from agent.cli import main

main()
