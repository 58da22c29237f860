"""What the project itself is built and checked with."""
