"""Three questions after a visit."""
