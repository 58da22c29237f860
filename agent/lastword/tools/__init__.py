"""What the commands of ``lastword`` run, apart from the worker."""
