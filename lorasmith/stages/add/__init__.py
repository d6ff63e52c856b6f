"""add: a person's own pictures."""
