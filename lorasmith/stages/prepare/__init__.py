"""prepare: crops, head crops and sizes."""
