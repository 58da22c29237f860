"""``lastword eval``: run labelled conversations through a graph and measure its hang-ups."""
