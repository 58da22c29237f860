"""``python -m lastword`` runs the command ``lastword``."""

from lastword.cli import main

main()
