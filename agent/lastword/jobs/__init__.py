"""The processes that run calls: how they start, whether they live, what they may log."""
