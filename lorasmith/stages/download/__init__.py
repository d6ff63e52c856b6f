"""download: the chosen posts as verified files."""
