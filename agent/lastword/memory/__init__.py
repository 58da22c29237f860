"""Where graphs remember their calls, and which types such a memory may bring back."""
