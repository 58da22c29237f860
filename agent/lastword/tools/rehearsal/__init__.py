"""``lastword call``: a whole call on one machine, with a local server and a simulated caller."""
