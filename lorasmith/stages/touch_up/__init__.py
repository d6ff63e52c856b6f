"""touch-up: the same operations on many pictures."""
