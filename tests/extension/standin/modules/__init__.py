"""As much of a WebUI's own package as the tab touches; made for tests, by what the hosts do and not by their code."""
