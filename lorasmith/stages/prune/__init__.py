"""prune: which pictures should not be trained on, and why."""
