"""The Projects page, and which projects there are."""
