"""train: what is trained on, checked, queued, exported, and the run itself."""
