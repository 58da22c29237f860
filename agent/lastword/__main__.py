"""``python -m agent`` is ``lastword``."""

from lastword.cli import main

main()
