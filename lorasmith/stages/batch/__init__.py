"""batch: many characters, one row each, all through the queue."""
