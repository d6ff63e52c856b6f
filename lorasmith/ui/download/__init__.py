"""The Download page."""
