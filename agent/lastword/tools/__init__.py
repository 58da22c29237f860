"""The code behind the ``lastword`` commands, except the worker."""
